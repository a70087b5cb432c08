package cost

// Device is what NVIDIA publishes of a GPU: the bandwidth of its memory in bytes a second, and its peaks in operations a second.
// A peak of 0 is not known.
type Device struct {
	Name      string
	bandwidth float64
	tensor    float64 // bf16 tensor cores, without sparsity
	single    float64 // fp32 outside of tensor cores
	double    float64 // fp64 outside of tensor cores
	driver    string  // what the driver calls it
}

var devices = []Device{
	// "NVIDIA A100 Tensor Core GPU" data sheet, column A100 40GB SXM: 1,555 GB/s, BFLOAT16 Tensor Core 312 TFLOPS, FP32 19.5, FP64 9.7.
	{"A100 40 GB SXM", 1555e9, 312e12, 19.5e12, 9.7e12, "NVIDIA A100-SXM4-40GB"},
	// "NVIDIA H100 Tensor Core GPU" data sheet, column H100 SXM: 3.35 TB/s, BFLOAT16 Tensor Core 1,979 TFLOPS with sparsity, half of
	// it without; FP32 67, FP64 34.
	{"H100 SXM", 3350e9, 989e12, 67e12, 34e12, "NVIDIA H100 80GB HBM3"},
	// "NVIDIA H200 Tensor Core GPU" data sheet, column H200 SXM: 4.8 TB/s, the rest as H100 SXM.
	{"H200 SXM", 4800e9, 989e12, 67e12, 34e12, "NVIDIA H200"},
	// "NVIDIA DGX B200" data sheet, an eighth of the system: 64 TB/s. "NVIDIA HGX platform", column HGX B200, an eighth of the
	// board: BF16 Tensor Core 36 PFLOPS with sparsity, half of it without; FP32 600 TFLOPS, FP64 296 TFLOPS.
	{"B200", 8000e9, 2250e12, 75e12, 37e12, "NVIDIA B200"},
}

// Named is the device that the driver calls so; false where nothing published of it is known here.
func Named(driver string) (Device, bool) {
	for _, d := range devices {
		if d.driver == driver {
			return d, true
		}
	}
	return Device{}, false
}

// Reported is a device of which only the bandwidth is known, in bytes a second.
func Reported(bandwidth float64) Device { return Device{bandwidth: bandwidth} }

// bound is the time in seconds below which no execution of the minimum can be; arithmetic says that operations set it, not bytes.
func (d Device) bound(m minimum) (seconds float64, arithmetic bool) {
	memory, compute := m.bytes()/d.bandwidth, 0.0
	for _, part := range []struct{ operations, peak float64 }{{m.tensor, d.tensor}, {m.single, d.single}, {m.double, d.double}} {
		if part.peak > 0 {
			compute = max(compute, part.operations/part.peak)
		}
	}
	return max(memory, compute), compute > memory
}

// Bound is what one call of an op needs at the least on a device.
type Bound struct {
	Bytes, Operations float64
	Seconds           float64 // 0 where the bandwidth is not known
	ByOperations      bool    // they set it, not the bytes
}

// Bound of a call, said as "OP name=value ...".
func (d Device) Bound(text string) (b Bound, err error) {
	c, err := parseCall(text)
	if err != nil {
		return b, err
	}
	m, err := c.minimum()
	if err != nil {
		return b, err
	}
	b = Bound{Bytes: m.bytes(), Operations: m.tensor + m.scalars()}
	if d.bandwidth > 0 {
		b.Seconds, b.ByOperations = d.bound(m)
	}
	return b, nil
}
