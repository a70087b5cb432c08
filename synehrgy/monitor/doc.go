// Package monitor is the telemetry of a run: once a second it asks the driver how the devices of the run are (utilisation,
// memory, power, energy, temperature, clocks, throttling, PCIe, NVLink, ECC) and /proc how the host is, and passes that on: as
// lines of metrics.jsonl, as a phrase for the progress line, and as a page for Prometheus.
//
// Telemetry never stops a run. No driver, no permission, a divided device (MIG), a device that falls off the bus and figures
// that cannot be true are one message each, and what is known of the rest is told on. All questions to the driver are asked by
// one goroutine of the monitor, so that a driver that hangs holds up telemetry and nothing else.
//
// It is the only package that imports go-nvml, whose symbols are looked up in libnvidia-ml.so.1 when a run on a GPU begins; a
// program that never watches a device opens no such library. A function that a driver lacks would end the process, therefore each is
// looked for before its first call.
package monitor
