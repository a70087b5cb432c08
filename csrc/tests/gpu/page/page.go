// Package page keeps the parts of a document that programs write, each between the lines Begin(name) and End(name).
package page

import (
	"fmt"
	"os"
	"strings"
)

// Begin and End are the lines around the part of that name.
func Begin(name string) string { return "<!-- " + name + ": begin -->\n" }
func End(name string) string   { return "<!-- " + name + ": end -->\n" }

// Read returns the part.
func Read(path, name string) (string, error) {
	_, part, _, err := cut(path, name)
	return part, err
}

// Write puts text in its place.
func Write(path, name, text string) error {
	before, _, after, err := cut(path, name)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(before+text+after), 0o644)
}

// cut returns a document in three: up to the part, the part, from its end on.
func cut(path, name string) (before, part, after string, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", "", "", err
	}
	text := string(raw)
	from, to := strings.Index(text, Begin(name)), strings.Index(text, End(name))
	if from < 0 || to < from {
		return "", "", "", fmt.Errorf("%s has no place for the table: it lacks the lines %s and %s", path,
			strings.TrimSpace(Begin(name)), strings.TrimSpace(End(name)))
	}
	from += len(Begin(name))
	return text[:from], text[from:to], text[to:], nil
}
