// Package symbol reads the mangled names of kernels.
package symbol

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var integers = regexp.MustCompile(`^I((?:Li\d+E)+)E`)

// Kernel finds the function in a mangled nested name; instance is the name with its integer template arguments.
func Kernel(mangled string) (name, instance string, err error) {
	rest := strings.TrimPrefix(mangled, "_ZN")
	for len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9' {
		end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			break
		}
		size, err := strconv.Atoi(rest[:end])
		if err != nil || end+size > len(rest) {
			break
		}
		name, rest = rest[end:end+size], rest[end+size:]
	}
	if name == "" {
		return "", "", fmt.Errorf("cannot read the name %s", mangled)
	}
	found := integers.FindStringSubmatch(rest)
	if found == nil {
		return name, name, nil
	}
	arguments := strings.Split(strings.TrimSuffix(strings.ReplaceAll(found[1], "Li", ""), "E"), "E")
	return name, name + "<" + strings.Join(arguments, ", ") + ">", nil
}
