//go:build !cgo || !linux

package monitor

import "errors"

// openNVML says why there is no telemetry of devices in this program.
func openNVML(string, []string, int) (driver, []trouble, error) {
	return nil, nil, errors.New("this program was built without cgo or not for Linux, and watches no GPU")
}
