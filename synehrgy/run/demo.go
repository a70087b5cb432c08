package run

// DemoPatients is the size of the simulated cohort of demo.
const DemoPatients = 2000

// DemoConfig is what demo runs: a few minutes on two cores.
func DemoConfig() Config {
	c := DefaultConfig()
	c.Train.Epochs = 12
	return c
}
