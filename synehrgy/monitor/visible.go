package monitor

import (
	"os"
	"strings"
)

// Visible returns the words of CUDA_VISIBLE_DEVICES up to the first that CUDA stops at, nil where it is not set: all devices
// are seen then. CUDA counts devices by speed unless CUDA_DEVICE_ORDER is PCI_BUS_ID, the driver by place on the bus; on a
// machine with GPUs of several kinds only the latter makes an index mean the same to both.
func Visible() []string {
	text, set := os.LookupEnv("CUDA_VISIBLE_DEVICES")
	if !set {
		return nil
	}
	out := []string{}
	for _, word := range strings.Split(text, ",") {
		word = strings.TrimSpace(word)
		if word == "" || strings.HasPrefix(word, "-") {
			break
		}
		out = append(out, word)
	}
	return out
}
