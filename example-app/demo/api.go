package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// client calls the local AWS: no proxy, and no patience with something that hangs.
var client = &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}

// A result is a call with the answer it got.
type result struct {
	api api
	call
	status int
	reason string
	body   []byte
}

// url is where MiniStack serves a path of an API. On AWS it is the API's URL output with the path appended.
func (c *localAWS) url(stack outputs, of api, path string) string {
	stage := map[api]string{
		httpAPI:      stack.APIID + "/$default",
		restAPI:      stack.RestAPIID + "/prod",
		webSocketAPI: stack.ChangesAPIID + "/live",
	}[of]
	return c.endpoint + "/_aws/execute-api/" + stage + path
}

// bearers are the tokens that are sent, by who sends them.
func bearers(signedIn map[string]tokens) (map[string]string, error) {
	bearer := map[string]string{idToken: signedIn["owner"].ID}
	for name, t := range signedIn {
		bearer[name] = t.Access
	}
	forged, err := tamper(bearer["editor"], users[0].claims)
	if err != nil {
		return nil, fmt.Errorf("tampering with the editor's token: %w", err)
	}
	bearer[tampered] = forged
	return bearer, nil
}

// onBoth are calls of the HTTP API, and the same of the REST API.
func onBoth(calls []call) []result {
	var results []result
	for _, call := range calls {
		results = append(results, result{api: httpAPI, call: call})
	}
	for _, call := range calls {
		results = append(results, result{api: restAPI, call: call.onREST()})
	}
	return results
}

func onWebSockets(calls []call) []result {
	var results []result
	for _, call := range calls {
		results = append(results, result{api: webSocketAPI, call: call})
	}
	return results
}

// A journal is all that was asked of one authorizer function, which has a log of its own.
type journal struct {
	logGroup string
	results  []result
}

// callAll makes the calls one after the other, so that the authorizer's log has its decisions in the same order, and reads
// there why each was answered as it was.
func (c *localAWS) callAll(ctx context.Context, stack outputs, bearer map[string]string, j *journal, calls []result) ([]result, error) {
	before := len(j.results)
	j.results = append(j.results, calls...)
	made := j.results[before:]
	for i := range made {
		if err := c.send(ctx, stack, &made[i], bearer[made[i].as]); err != nil {
			return nil, err
		}
	}
	decisions, err := c.decisions(ctx, j.logGroup)
	if err != nil {
		return nil, err
	}
	return made, explain(j.results, decisions)
}

// send makes the call and notes the answer.
func (c *localAWS) send(ctx context.Context, stack outputs, r *result, token string) error {
	request, err := http.NewRequestWithContext(ctx, r.method(), c.url(stack, r.api, r.path), nil)
	if err != nil {
		return err
	}
	switch {
	case r.api == webSocketAPI:
		openWebSocket(request.Header, token)
	case token != "":
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	r.status = response.StatusCode
	if r.status != http.StatusSwitchingProtocols { // after which the body is the WebSocket, where nobody says anything
		r.body, err = io.ReadAll(response.Body)
	}
	return err
}

// openWebSocket makes a request one for a WebSocket, with the token where a browser can put it: new WebSocket(url,
// ["documents.v1", "bearer." + token]). Without a token no sub-protocol is offered.
func openWebSocket(header http.Header, token string) {
	header.Set("Connection", "Upgrade")
	header.Set("Upgrade", "websocket")
	header.Set("Sec-WebSocket-Version", "13")
	header.Set("Sec-WebSocket-Key", base64.StdEncoding.EncodeToString([]byte("sixteen bytes ok")))
	if token != "" {
		header.Set("Sec-WebSocket-Protocol", "documents.v1, bearer."+token)
	}
}

func (r result) method() string {
	if r.api == webSocketAPI {
		return http.MethodGet // of the handshake
	}
	method, _, _ := strings.Cut(r.route, " ")
	return method
}

// A decision is a line of the authorizer's log.
type decision struct {
	Level         string   `json:"level"`
	Outcome       string   `json:"outcome"`
	Route         string   `json:"route"`
	Reasons       []reason `json:"reasons"`
	IDTokensUntil string   `json:"idTokensUntil"` // of an ID token where it is accepted
	Error         string   `json:"error"`         // of a fault
}

type reason struct {
	Message string `json:"message"`
}

// decisions reads an authorizer's log.
func (c *localAWS) decisions(ctx context.Context, logGroup string) ([]decision, error) {
	var log struct {
		Events []struct {
			Timestamp int64
			Message   string
		}
	}
	err := c.aws(ctx, "logs", "filter-log-events", map[string]any{"logGroupName": logGroup}, &log)
	if err != nil {
		return nil, err
	}
	var found []decision
	for _, event := range log.Events {
		var line struct {
			decision
			Message string `json:"message"`
		}
		if json.Unmarshal([]byte(event.Message), &line) == nil && line.Message == "decision" { // others are metrics, and Lambda's own
			found = append(found, line.decision)
		}
	}
	return found, nil
}

// explain gives every result its reason. The authorizer decided those calls that carried a token to a protected route, and
// on the REST API, where nothing is cached, those without a token too, in the order in which they were made.
func explain(results []result, decisions []decision) error {
	for i := range results {
		r := &results[i]
		switch {
		case r.route == health:
			r.reason = public
		case r.as == nobody && r.api != restAPI:
			r.reason = noToken
		case len(decisions) == 0 || decisions[0].Route != r.route:
			return fmt.Errorf("the authorizer's log has no decision on %s as %s where one should be", r.route, r.as)
		default:
			r.reason = decisions[0].String()
			decisions = decisions[1:]
		}
	}
	if len(decisions) > 0 {
		return fmt.Errorf("the authorizer's log has %d decisions more than there were calls", len(decisions))
	}
	return nil
}

// String is the outcome with why it came to that.
func (d decision) String() string {
	var why []string
	for _, reason := range d.Reasons {
		why = append(why, reason.Message)
	}
	if d.Error != "" {
		why = append(why, d.Error)
	}
	text := d.Outcome
	if len(why) > 0 {
		text += ": " + strings.Join(why, "; ")
	}
	if d.Level == "WARN" {
		text += ", with a warning: idTokensUntil " + d.IDTokensUntil
	}
	return text
}
