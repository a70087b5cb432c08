//go:build race

package evaluate

// The race detector slows the toy world tenfold and finds nothing there that the smaller cohorts do not exercise.
const raceDetector = true
