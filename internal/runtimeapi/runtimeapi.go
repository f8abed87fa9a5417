// Package runtimeapi is Lambda's runtime API on this machine, for tests and measurements that run a function's process as
// Lambda does (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
package runtimeapi

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Patience is how long an event may take, as its deadline says.
const Patience = time.Minute

// API is the runtime API of one process.
type API struct {
	// Events are handed to the process as it asks for them. One may wait.
	Events chan *Invocation

	// Polled is closed when the process asks for an event for the first time, at PolledAt.
	Polled   chan struct{}
	PolledAt time.Time

	address string
	server  http.Server
	first   sync.Once
	waiting sync.Map // *Invocation by request id
	ids     atomic.Int64
}

// Invocation is an event and what came of it. All but Event may be read when Done is closed.
type Invocation struct {
	Event []byte

	// Handed is when the process got the event, and Took how long it was until its answer had come.
	Handed time.Time
	Took   time.Duration

	// Answer is what the process sent: its response or, if it Failed, its report of the error.
	Answer []byte
	Failed bool

	Done chan struct{}
}

// NewInvocation is an event that is yet to be handed out.
func NewInvocation(event []byte) *Invocation {
	return &Invocation{Event: event, Done: make(chan struct{})}
}

// New serves on a free port of the loopback interface.
func New() (*API, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &API{Events: make(chan *Invocation, 1), Polled: make(chan struct{}), address: listener.Addr().String()}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /2018-06-01/runtime/invocation/next", a.next)
	routes.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/{outcome}", a.answered)
	a.server.Handler = routes
	go a.server.Serve(listener)
	return a, nil
}

// Close ends it at once.
func (a *API) Close() { a.server.Close() }

// Environment is what Lambda sets for a function of that name.
func (a *API) Environment(function string) []string {
	return []string{
		"AWS_LAMBDA_RUNTIME_API=" + a.address, "AWS_REGION=eu-west-1", "AWS_LAMBDA_FUNCTION_NAME=" + function,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_LAMBDA_LOG_FORMAT=JSON",
	}
}

// Handed is how many events were handed out.
func (a *API) Handed() int { return int(a.ids.Load()) }

func (a *API) next(w http.ResponseWriter, r *http.Request) {
	a.first.Do(func() {
		a.PolledAt = time.Now()
		close(a.Polled)
	})
	select {
	case v := <-a.Events:
		id := strconv.FormatInt(a.ids.Add(1), 10)
		a.waiting.Store(id, v)
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", id)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(Patience).UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:123456789012:function:here")
		v.Handed = time.Now()
		w.Write(v.Event)
	case <-r.Context().Done():
	}
}

func (a *API) answered(w http.ResponseWriter, r *http.Request) {
	answer, err := io.ReadAll(r.Body)
	found, ok := a.waiting.LoadAndDelete(r.PathValue("id"))
	if !ok || err != nil {
		http.Error(w, "no such invocation, or half an answer", http.StatusBadRequest)
		return
	}
	v := found.(*Invocation)
	v.Took = time.Since(v.Handed)
	v.Answer, v.Failed = answer, r.PathValue("outcome") == "error"
	w.WriteHeader(http.StatusAccepted)
	close(v.Done)
}
