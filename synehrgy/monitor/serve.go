package monitor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// This file serves telemetry over HTTP:
//
//	/metrics  the newest sample, for Prometheus
//	/healthz  200 while samples are taken, 503 when they have stopped (the driver hangs)
//	/readyz   200 once a stage is at work and there is a sample, 503 before
//
// It reads nothing from who asks and tells nothing of a patient.

// Server answers until it is closed.
type Server struct {
	http     *http.Server
	listener net.Listener
	done     chan struct{}
}

// Listen takes a metrics address, HOST:PORT. Without public the host must be a loopback address. Everything that is wrong with
// it is a *fault.Usage.
func Listen(address string, public bool) (net.Listener, error) {
	where, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fault.Usagef("the metrics address is %q, expected HOST:PORT such as 127.0.0.1:9400", address)
	}
	if !public && !where.IP.IsLoopback() {
		return nil, fault.Usagef("the metrics address %s is open to other machines; take a loopback address such as 127.0.0.1:%d, or say --metrics-public", address, where.Port)
	}
	listener, err := net.ListenTCP("tcp", where)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fault.Usagef("the metrics address %s is in use by another program; take another port", address)
	}
	if err != nil {
		return nil, fault.Usagef("the metrics address %s cannot be used: %s", address, err)
	}
	return listener, nil
}

// Serve answers on a listener, which Close of the server closes.
func (m *Monitor) Serve(listener net.Listener) *Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", textFormat)
		_, _ = w.Write(m.metrics()) // who asked may be gone
	})
	mux.HandleFunc("GET /healthz", answer(m.healthy))
	mux.HandleFunc("GET /readyz", answer(m.ready))
	s := &Server{
		http: &http.Server{
			Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second,
			IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		},
		listener: listener, done: make(chan struct{}),
	}
	if m.o.Log != nil {
		s.http.ErrorLog = slog.NewLogLogger(m.o.Log.Handler(), slog.LevelDebug)
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			m.say("", trouble{CauseDriver, "serve", fmt.Sprintf("metrics are no longer served: %s", err)})
		}
	}()
	return s
}

// Address is where the server answers.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close lets answers under way end, for at most a second.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	<-s.done
	return err
}

// answer says "ok", or with status 503 what is wrong.
func answer(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := check(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprintln(w, err)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	}
}

// healthy: a sample is at most ten intervals old, and never said to be late before ten seconds.
func (m *Monitor) healthy() error {
	newest := m.began
	if s, ok := m.Latest(); ok {
		newest = s.At
	}
	if late := time.Since(newest); late > max(10*m.o.Interval, 10*time.Second) {
		return fmt.Errorf("no sample for %s; the driver may hang", late.Round(time.Second))
	}
	return nil
}

func (m *Monitor) ready() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.stage == "":
		return errors.New("no stage has begun")
	case m.latest == nil:
		return errors.New("there is no sample yet")
	}
	return nil
}
