//go:build cgo

package bindings

/*
#cgo noescape syn_device_params_init
#cgo nocallback syn_device_params_init
#cgo noescape syn_device_create
#cgo nocallback syn_device_create
#cgo nocallback syn_device_destroy
#cgo nocallback syn_device_threads

#include "synehrgy.h"
*/
import "C"

// Device is a syn_device. The zero value is no device.
type Device struct{ p *C.syn_device }

// DeviceCreate opens a device; DeviceDestroy frees it. A library of another ABI is refused first.
func DeviceCreate(params DeviceParams) (Device, error) {
	if err := Compatible(); err != nil {
		return Device{}, err
	}
	var p C.syn_device_params
	C.syn_device_params_init(&p)
	p.backend, p.threads = C.int32_t(params.Backend), C.int32_t(params.Threads)
	var d Device
	e := newError()
	if rc := C.syn_device_create(&p, &d.p, &e); rc != C.SYN_OK {
		return Device{}, failure("syn_device_create", rc, e)
	}
	return d, nil
}

// DeviceDestroy frees a device.
func DeviceDestroy(d Device) { C.syn_device_destroy(d.p) }

// DeviceThreads is the number of threads the device works with.
func DeviceThreads(d Device) int { return int(C.syn_device_threads(d.p)) }
