package main

// device is what NVIDIA publishes of a GPU: the bandwidth of its memory in bytes a second, and its peaks in operations a second.
type device struct {
	name      string
	bandwidth float64
	tensor    float64 // bf16 tensor cores, without sparsity
	single    float64 // fp32 outside of tensor cores
	double    float64 // fp64 outside of tensor cores
}

var devices = []device{
	// "NVIDIA A100 Tensor Core GPU" data sheet, column A100 40GB SXM: 1,555 GB/s, BFLOAT16 Tensor Core 312 TFLOPS, FP32 19.5, FP64 9.7.
	{"A100 40 GB SXM", 1555e9, 312e12, 19.5e12, 9.7e12},
	// "NVIDIA H100 Tensor Core GPU" data sheet, column H100 SXM: 3.35 TB/s, BFLOAT16 Tensor Core 1,979 TFLOPS with sparsity, half of
	// it without; FP32 67, FP64 34.
	{"H100 SXM", 3350e9, 989e12, 67e12, 34e12},
	// "NVIDIA H200 Tensor Core GPU" data sheet, column H200 SXM: 4.8 TB/s, the rest as H100 SXM.
	{"H200 SXM", 4800e9, 989e12, 67e12, 34e12},
	// "NVIDIA DGX B200" data sheet, an eighth of the system: 64 TB/s. "NVIDIA HGX platform", column HGX B200, an eighth of the
	// board: BF16 Tensor Core 36 PFLOPS with sparsity, half of it without; FP32 600 TFLOPS, FP64 296 TFLOPS.
	{"B200", 8000e9, 2250e12, 75e12, 37e12},
}

// bound is the time in seconds below which no execution of the minimum can be; arithmetic says that operations set it, not bytes.
func (d device) bound(m minimum) (seconds float64, arithmetic bool) {
	memory := m.bytes() / d.bandwidth
	compute := max(m.tensor/d.tensor, m.single/d.single, m.double/d.double)
	return max(memory, compute), compute > memory
}
