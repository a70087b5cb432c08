package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// This file runs the test program: by itself, and under the tools of compute-sanitizer.

// emulatedTests is what stands for all tests where the emulation is the device: `./dev cuda-check` runs them all on it.
const emulatedTests = "GpuBias.*:GpuRound.*:GpuGradNorm.*"

var (
	passedLine = regexp.MustCompile(`(?m)^\[  PASSED  \] (\d+) tests?\.$`)
	failedLine = regexp.MustCompile(`(?m)^\[  FAILED  \] (\S+\.\S+)$`) // of the list at the end
	digestLine = regexp.MustCompile(`(?m)^digest ([0-9a-f]+)$`)
)

// testCommand is the test program with the tests that are run.
func (c *check) testCommand() []string {
	words := []string{c.tests}
	if c.emulated() {
		words = append(words, "--gtest_filter="+emulatedTests)
	}
	return words
}

// test runs the test program, under a tool where words name one; it returns the number of cases and the digest of what they read.
func (c *check) test(ctx context.Context, words ...string) (cases int, digest string, s said, err error) {
	s, err = c.execute(ctx, "", append(words, c.testCommand()...)...)
	if names := failedLine.FindAllStringSubmatch(s.out, -1); names != nil {
		var list []string
		for _, n := range names {
			list = append(list, n[1])
		}
		return 0, "", s, fmt.Errorf("%d of the cases failed: %s", len(list), strings.Join(list, ", "))
	}
	if err != nil {
		return 0, "", s, err
	}
	count, bits := passedLine.FindStringSubmatch(s.out), digestLine.FindStringSubmatch(s.out)
	if count != nil {
		cases, _ = strconv.Atoi(count[1]) // the expression matches digits only
	}
	if cases == 0 || bits == nil {
		return 0, "", s, fmt.Errorf("no case was run: %s", s.last())
	}
	return cases, bits[1], s, nil
}

// testTwice: the results are right, and have the same bits when they are computed again.
func (c *check) testTwice(ctx context.Context) (string, error) {
	cases, first, _, err := c.test(ctx)
	if err != nil {
		return "", err
	}
	_, second, _, err := c.test(ctx)
	if err != nil {
		return "", fmt.Errorf("the second time: %w", err)
	}
	if first != second {
		return "", fmt.Errorf("%d cases passed twice, with results of other bits: digest %s, then %s", cases, first, second)
	}
	return fmt.Sprintf("%d cases, twice with the same bits", cases), nil
}

var (
	sanitizers  = []string{"memcheck", "racecheck", "initcheck", "synccheck"}
	summaryLine = regexp.MustCompile(`SUMMARY: (\d+) (errors?|hazards?)`)
)

// sanitize runs the tests under a tool of compute-sanitizer.
func (c *check) sanitize(ctx context.Context, tool string) (string, error) {
	if c.emulated() {
		return "", cannot{"compute-sanitizer watches a GPU, and this is an emulation; `./dev cuda-check` has sanitizers of its own"}
	}
	path := c.tool("bin/compute-sanitizer", "compute-sanitizer")
	if path == "" {
		return "", cannot{"compute-sanitizer was not found, neither in the toolkit nor on the path"}
	}
	cases, _, s, err := c.test(ctx, path, "--tool", tool, "--error-exitcode", "99", "--print-limit", "10")
	found := summaryLine.FindStringSubmatch(s.out + s.err)
	switch {
	case found != nil && found[1] != "0":
		return "", fmt.Errorf("%s %s: %s", found[1], found[2], firstErrors(s.out+s.err))
	case err != nil:
		return "", err
	case found == nil:
		return "", errors.New("the tool says no summary: " + s.last())
	}
	return fmt.Sprintf("%d cases, 0 %s (%s)", cases, found[2], path), nil
}

// firstErrors is the beginning of what the tool found.
func firstErrors(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if rest, is := strings.CutPrefix(line, "========= "); is && !strings.HasPrefix(rest, "COMPUTE-SANITIZER") {
			lines = append(lines, strings.TrimSpace(rest))
		}
		if len(lines) == 4 {
			break
		}
	}
	return strings.Join(lines, "; ")
}
