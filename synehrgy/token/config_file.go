package token

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// This file reads a Config from YAML and takes no key that it does not know.

// ReadConfig reads the section "token" of a YAML file; see ParseConfig.
func ReadConfig(path string, others ...string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fault.Usagef("the configuration %s cannot be read: %v", path, err)
	}
	return ParseConfig(path, text, others...)
}

// ParseConfig returns DefaultConfig changed by what the section "token" of a YAML document says. others names the sections of
// the document that belong to other rooms. A key that is not known is a *fault.Usage that names the nearest one that is.
func ParseConfig(file string, text []byte, others ...string) (Config, error) {
	config := DefaultConfig()
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return config, fault.Usagef("%s: %v", file, err)
	}
	if len(document.Content) == 0 {
		return config, config.Validate()
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return config, fault.Usagef("%s, row %d: found no sections, expected \"token:\" and what belongs to it", file, root.Line)
	}
	if err := checkTwice(file, root); err != nil {
		return config, err
	}
	known := append([]string{"token"}, others...)
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if !slices.Contains(known, key.Value) {
			return config, unknownKey(file, key, "", known)
		}
		if key.Value != "token" {
			continue
		}
		if err := checkKeys(file, value, reflect.TypeFor[Config](), "token"); err != nil {
			return config, err
		}
		if err := value.Decode(&config); err != nil {
			return config, fault.Usagef("%s: %v", file, err)
		}
	}
	if err := config.Validate(); err != nil {
		return config, fault.Usagef("%s: %v", file, err)
	}
	return config, nil
}

// checkKeys walks a YAML node beside the struct it is meant for.
func checkKeys(file string, node *yaml.Node, t reflect.Type, path string) error {
	if t.Kind() != reflect.Struct || node.Kind != yaml.MappingNode {
		return nil // a wrong kind of value is the decoder's to tell
	}
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		fields[name] = t.Field(i).Type
	}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		field, ok := fields[key.Value]
		if !ok {
			return unknownKey(file, key, path, sortedKeys(fields))
		}
		if err := checkKeys(file, value, field, path+"."+key.Value); err != nil {
			return err
		}
	}
	return nil
}

// checkTwice refuses a key that stands twice in a mapping.
func checkTwice(file string, node *yaml.Node) error {
	seen := map[string]bool{}
	for i := 0; i < len(node.Content); i += 2 {
		key := node.Content[i]
		if seen[key.Value] {
			return fault.Usagef("%s, row %d: found the key %q twice, expected each once", file, key.Line, key.Value)
		}
		seen[key.Value] = true
	}
	return nil
}

func unknownKey(file string, key *yaml.Node, path string, known []string) error {
	if path != "" {
		path = " in " + path
	}
	return fault.Usagef("%s, row %d: unknown key %q%s; the nearest known key is %q", file, key.Line, key.Value, path, nearest(key.Value, known))
}

// nearest returns the word that the fewest changes of single letters turn into, the first of equals.
func nearest(word string, known []string) string {
	best, distance := "", -1
	for _, k := range known {
		if d := editDistance(word, k); distance < 0 || d < distance {
			best, distance = k, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance of two words.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
