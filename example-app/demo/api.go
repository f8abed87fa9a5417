package main

import (
	"context"
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
	call
	status int
	reason string
	body   []byte
}

// url is where MiniStack serves a path of the API. On AWS it is the ApiUrl output with the path appended.
func (c *localAWS) url(stack outputs, path string) string {
	return c.endpoint + "/_aws/execute-api/" + stack.APIID + "/$default" + path
}

// callAll makes the calls one after the other, so that the authorizer's log has its decisions in the same order, and reads
// there why each was answered as it was.
func (c *localAWS) callAll(ctx context.Context, stack outputs, calls []call, signedIn map[string]tokens) ([]result, error) {
	bearer := map[string]string{}
	for name, t := range signedIn {
		bearer[name] = t.Access
	}
	bearer[idToken] = signedIn["owner"].ID
	forged, err := tamper(bearer["editor"], users[0].claims)
	if err != nil {
		return nil, fmt.Errorf("tampering with the editor's token: %w", err)
	}
	bearer[tampered] = forged

	results := make([]result, len(calls))
	for i, call := range calls {
		if results[i], err = c.call(ctx, stack, call, bearer[call.as]); err != nil {
			return nil, err
		}
	}
	decisions, err := c.decisions(ctx, stack)
	if err != nil {
		return nil, err
	}
	return results, explain(results, decisions)
}

func (c *localAWS) call(ctx context.Context, stack outputs, call call, token string) (result, error) {
	request, err := http.NewRequestWithContext(ctx, call.method(), c.url(stack, call.path), nil)
	if err != nil {
		return result{}, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return result{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return result{call: call, status: response.StatusCode, body: body}, err
}

func (c call) method() string {
	method, _, _ := strings.Cut(c.route, " ")
	return method
}

// A decision is a line of the authorizer's log.
type decision struct {
	Outcome string   `json:"outcome"`
	Route   string   `json:"route"`
	Reasons []reason `json:"reasons"`
	Error   string   `json:"error"` // of a fault
}

type reason struct {
	Message string `json:"message"`
}

// decisions reads the authorizer's log.
func (c *localAWS) decisions(ctx context.Context, stack outputs) ([]decision, error) {
	var log struct {
		Events []struct {
			Timestamp int64
			Message   string
		}
	}
	err := c.aws(ctx, "logs", "filter-log-events", map[string]any{"logGroupName": stack.AuthorizerLogGroup}, &log)
	if err != nil {
		return nil, err
	}
	var found []decision
	for _, event := range log.Events {
		var d decision
		if json.Unmarshal([]byte(event.Message), &d) == nil && d.Outcome != "" { // the other lines are Lambda's own
			found = append(found, d)
		}
	}
	return found, nil
}

// explain gives every result its reason. The authorizer decided those calls that carried a token to a protected route,
// in the order in which they were made.
func explain(results []result, decisions []decision) error {
	for i := range results {
		r := &results[i]
		switch {
		case r.route == health:
			r.reason = public
		case r.as == nobody:
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
	if len(why) == 0 {
		return d.Outcome
	}
	return d.Outcome + ": " + strings.Join(why, "; ")
}
