// Package fetch brings open data sets from their official home, PhysioNet, and lets no file take its name before its SHA-256
// is the expected one.
//
// # What is trusted
//
// The checksums that this package carries (folder manifests) are pinned: a server that sends anything else is found out.
//
//	eicu-demo        2.0.1   pinned: the SHA256SUMS.txt of the release, without its SQLite copy of the same tables
//	mimic-iii-demo   1.4     pinned: the SHA256SUMS.txt of the release
//	challenge-2012   1.0.0   pinned: set A and its outcomes. The outcomes agree with a copy of the release; for
//	                         set-a.tar.gz the checksum is the one that public projects which use the set record alike
//	mimic-iv-demo    2.2     first use: SHA256SUMS.txt comes from the site itself, over TLS, the first time; it stays in the
//	                         folder and binds every later run into that folder
//
// # What is left behind
//
// A download grows as NAME.part and is renamed to NAME when its checksum is right. A run that breaks off leaves NAME.part,
// and the next one goes on from there, where the server can. A part whose checksum is wrong is removed; when it had been
// resumed, it is fetched once more from the start, because the beginning may have been the fault. A file that is there under
// its name is left alone: taken when its checksum is right, reported when it is not.
package fetch

import (
	"bufio"
	"embed"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

//go:embed manifests/*.sha256
var manifests embed.FS

// listName is the list of checksums as PhysioNet names it.
const listName = "SHA256SUMS.txt"

// Set is one data set.
type Set struct {
	Name    string
	Title   string
	Version string
	Home    string // page that describes it and tells how to cite it
	Files   string // address below which its files lie, ends in /
	License string
	Format  string // of the reader in package source; empty where there is none
	Pinned  bool   // the checksums are carried by this package
}

var sets = []Set{
	{"challenge-2012", "PhysioNet/Computing in Cardiology Challenge 2012, set A", "1.0.0", "https://physionet.org/content/challenge-2012/1.0.0/",
		"https://physionet.org/files/challenge-2012/1.0.0/", "ODC-By 1.0", "challenge2012", true},
	{"eicu-demo", "eICU Collaborative Research Database Demo", "2.0.1", "https://physionet.org/content/eicu-crd-demo/2.0.1/",
		"https://physionet.org/files/eicu-crd-demo/2.0.1/", "ODbL 1.0", "eicu", true},
	{"mimic-iii-demo", "MIMIC-III Clinical Database Demo", "1.4", "https://physionet.org/content/mimiciii-demo/1.4/",
		"https://physionet.org/files/mimiciii-demo/1.4/", "ODbL 1.0", "mimic3", true},
	{"mimic-iv-demo", "MIMIC-IV Clinical Database Demo", "2.2", "https://physionet.org/content/mimic-iv-demo/2.2/",
		"https://physionet.org/files/mimic-iv-demo/2.2/", "ODbL 1.0", "", false},
}

// Sets lists the data sets, by name.
func Sets() []Set { return slices.Clone(sets) }

// Lookup returns the data set of a name, or a *fault.Usage that lists the names.
func Lookup(name string) (Set, error) {
	names := make([]string, len(sets))
	for i, s := range sets {
		if s.Name == name {
			return s, nil
		}
		names[i] = s.Name
	}
	return Set{}, fault.Usagef("no data set %q; known are %s", name, strings.Join(names, ", "))
}

// Sum is one line of a list of checksums.
type Sum struct {
	Name   string // relative to the address of the set, with slashes
	SHA256 [32]byte
}

// Pins returns the checksums that this package carries for a set, in the order of the list; none when it is not pinned.
func (s Set) Pins() ([]Sum, error) {
	if !s.Pinned {
		return nil, nil
	}
	name := "manifests/" + s.Name + ".sha256"
	data, err := manifests.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return parseSums(name, string(data))
}

// parseSums reads the output of sha256sum. A name that would leave the folder is refused.
func parseSums(file, text string) ([]Sum, error) {
	var sums []Sum
	seen := map[string]bool{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for row := int64(1); lines.Scan(); row++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		digest, name, _ := strings.Cut(line, " ")
		name = strings.TrimPrefix(strings.TrimSpace(name), "*")
		sum := Sum{Name: strings.TrimPrefix(name, "./")}
		n, err := hex.Decode(sum.SHA256[:], []byte(digest[:min(len(digest), 64)]))
		if err != nil || n != len(sum.SHA256) || len(digest) != 64 || !filepath.IsLocal(sum.Name) || seen[sum.Name] || strings.HasSuffix(sum.Name, partSuffix) {
			return nil, &fault.Input{File: file, Row: row, Found: "a line that is no checksum of a file below this folder, or one of a file named before",
				Expected: "64 hexadecimal digits, a blank, and the name of a file"}
		}
		seen[sum.Name] = true
		sums = append(sums, sum)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(sums) == 0 {
		return nil, &fault.Input{File: file, Found: "no checksum", Expected: "one line a file, as sha256sum writes them"}
	}
	return sums, nil
}
