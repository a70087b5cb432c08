// ptxsim is a CUDA device on a pipe: it loads PTX files, owns the device memory, and runs the launches
// that a host program (hostgpu with HOSTGPU_PTX set) sends. Requests and replies are little endian:
//
//	M n -> p        F p        W p n bytes        R p n -> bytes        S p n value
//	L name grid[3] block[3] dynamic-shared params      every reply: error text (u32 length, bytes), result
//
// PTXSIM_REPORT=1 says at the end what each kernel executed, and its worst accesses; PTXSIM_COUNTS=FILE writes what each moved and
// computed (ptxsim.Counts) as JSON.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"

	"github.com/synehrgy/synehrgy-go/csrc/tests/gpu/ptxsim"
)

func main() {
	s := &server{
		kernels: map[string]*ptxsim.Kernel{},
		device:  ptxsim.NewDevice(),
		in:      bufio.NewReaderSize(os.Stdin, 1<<16),
		out:     bufio.NewWriterSize(os.Stdout, 1<<16),
	}
	s.device.Reverse = os.Getenv("HOSTGPU_ORDER") == "lifo"
	counts := os.Getenv("PTXSIM_COUNTS")
	s.device.Counting = counts != ""
	for _, f := range os.Args[1:] {
		if err := s.load(f); err != nil {
			s.broken = fmt.Errorf("%s: %w", f, err)
		}
	}
	for s.serve() {
	}
	if os.Getenv("PTXSIM_REPORT") != "" {
		for n, k := range s.kernels {
			k.Report(os.Stderr, n)
		}
	}
	if counts != "" {
		must(s.writeCounts(counts))
	}
}

type server struct {
	kernels map[string]*ptxsim.Kernel
	broken  error // a file that could not be loaded: every launch says so
	device  *ptxsim.Device
	in      *bufio.Reader
	out     *bufio.Writer
}

func (s *server) load(file string) error {
	src, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	m, err := ptxsim.Parse(string(src))
	if err != nil {
		return err
	}
	for n, k := range m.Kernels {
		s.kernels[ptxsim.Plain(n)] = k
	}
	return nil
}

func (s *server) writeCounts(file string) error {
	var all []ptxsim.Counts
	for _, k := range s.kernels {
		all = append(all, k.Counts())
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Kernel < all[j].Kernel })
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

func (s *server) u64() (v uint64) { must(binary.Read(s.in, binary.LittleEndian, &v)); return }
func (s *server) u32() (v uint32) { must(binary.Read(s.in, binary.LittleEndian, &v)); return }
func (s *server) bytes(n uint64) []byte {
	b := make([]byte, n)
	_, err := io.ReadFull(s.in, b)
	must(err)
	return b
}

func (s *server) reply(err error, body []byte) {
	text := ""
	if err != nil {
		text, body = err.Error(), nil
	}
	must(binary.Write(s.out, binary.LittleEndian, uint32(len(text))))
	s.out.WriteString(text)
	s.out.Write(body)
	must(s.out.Flush())
}

// serve answers one request; false when there are no more.
func (s *server) serve() bool {
	request, err := s.in.ReadByte()
	if err != nil {
		return false
	}
	d := s.device
	switch request {
	case 'M':
		s.reply(nil, binary.LittleEndian.AppendUint64(nil, d.Alloc(int(s.u64()))))
	case 'F':
		s.reply(d.Free(s.u64()), nil)
	case 'W':
		p, n := s.u64(), s.u64()
		b := s.bytes(n)
		s.reply(d.Check(p, n, func() { d.Write(p, b) }), nil)
	case 'S':
		p, n := s.u64(), s.u64()
		b := make([]byte, n)
		for i, v := 0, byte(s.u32()); i < len(b); i++ {
			b[i] = v
		}
		s.reply(d.Check(p, n, func() { d.Write(p, b) }), nil)
	case 'R':
		p, n := s.u64(), s.u64()
		var b []byte
		err := d.Check(p, n, func() { b = d.Read(p, int(n)) })
		s.reply(err, b)
	case 'L':
		s.reply(s.launch(), nil)
	default:
		must(errors.New("unknown request"))
	}
	return true
}

func (s *server) launch() error {
	name := ptxsim.Plain(string(s.bytes(uint64(s.u32()))))
	var g [6]int
	for i := range g {
		g[i] = int(s.u32())
	}
	dynamic := int(s.u64())
	params := s.bytes(uint64(s.u32()))
	k := s.kernels[name]
	switch {
	case s.broken != nil:
		return s.broken
	case k == nil:
		return fmt.Errorf("no kernel %s in the PTX", name)
	}
	return s.device.Launch(k, ptxsim.Dim{X: g[0], Y: g[1], Z: g[2]}, ptxsim.Dim{X: g[3], Y: g[4], Z: g[5]}, dynamic, params)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "ptxsim:", err)
		os.Exit(3)
	}
}
