package ptxsim

// coordinates of a block in its launch.
type coordinates struct {
	grid, block Dim
	x, y, z     int
}

// specials are the registers that a kernel may read without writing them, and what a lane finds there.
var specials = map[string]func(at coordinates, warp, lane int) int{
	"%tid.x":       func(at coordinates, w, l int) int { return (w*32 + l) % at.block.X },
	"%tid.y":       func(at coordinates, w, l int) int { return (w*32 + l) / at.block.X % at.block.Y },
	"%tid.z":       func(at coordinates, w, l int) int { return (w*32 + l) / (at.block.X * at.block.Y) },
	"%ntid.x":      func(at coordinates, _, _ int) int { return at.block.X },
	"%ntid.y":      func(at coordinates, _, _ int) int { return at.block.Y },
	"%ntid.z":      func(at coordinates, _, _ int) int { return at.block.Z },
	"%ctaid.x":     func(at coordinates, _, _ int) int { return at.x },
	"%ctaid.y":     func(at coordinates, _, _ int) int { return at.y },
	"%ctaid.z":     func(at coordinates, _, _ int) int { return at.z },
	"%nctaid.x":    func(at coordinates, _, _ int) int { return at.grid.X },
	"%nctaid.y":    func(at coordinates, _, _ int) int { return at.grid.Y },
	"%nctaid.z":    func(at coordinates, _, _ int) int { return at.grid.Z },
	"%laneid":      func(_ coordinates, _, l int) int { return l },
	"%warpid":      func(_ coordinates, w, _ int) int { return w },
	"%lanemask_lt": func(_ coordinates, _, l int) int { return 1<<l - 1 },
	"%lanemask_le": func(_ coordinates, _, l int) int { return 2<<l - 1 },
	"%lanemask_eq": func(_ coordinates, _, l int) int { return 1 << l },
	"%lanemask_ge": func(_ coordinates, _, l int) int { return full &^ (1<<l - 1) },
	"%lanemask_gt": func(_ coordinates, _, l int) int { return full &^ (2<<l - 1) },
}
