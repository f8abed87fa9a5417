package pooltrigger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
)

// Properties are the custom resource's properties. They name the trigger that this one takes the place of, rather than
// leaving it to be found and kept: a lost answer or a repeated request would otherwise lose it.
type Properties struct {
	UserPoolID  string `json:"UserPoolId"`
	FunctionARN string `json:"FunctionArn"`
	Version     string `json:"LambdaVersion"`
	// The trigger that may be exchanged, and is put back when the resource is deleted. Empty: none may be.
	ReplacedFunctionARN string `json:"ReplacedFunctionArn,omitempty"`
	ReplacedVersion     string `json:"ReplacedLambdaVersion,omitempty"`
	// "true" attaches to a pool on plan LITE. CloudFormation has no other type than text.
	SkipFeaturePlanCheck string `json:"SkipFeaturePlanCheck,omitempty"`
}

// Handler answers the requests of CloudFormation.
type Handler struct {
	Cognito Cognito
	HTTP    *http.Client // for the answer
	Sleep   func(context.Context, time.Duration) error
	Logger  *slog.Logger
}

// reserve is the part of the function's time that is kept for the answer: without one CloudFormation waits until the
// resource's own time is up.
const reserve = 20 * time.Second

// Handle does what the event asks for and tells CloudFormation how it went. The error it returns is that of telling;
// Lambda then calls it again, which does no harm.
func (h *Handler) Handle(ctx context.Context, event cfn.Event) error {
	work := ctx
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		work, cancel = context.WithDeadline(ctx, deadline.Add(-reserve))
		defer cancel()
	}
	properties, err := decode(event.ResourceProperties)
	if err == nil {
		err = h.apply(work, event, properties)
	}

	answer := cfn.NewResponse(&event)
	answer.Status = cfn.StatusSuccess
	answer.PhysicalResourceID = physicalID(event, properties)
	if err != nil {
		answer.Status = cfn.StatusFailed
		answer.Reason = cut(err.Error(), maxReason)
	}
	h.Logger.InfoContext(ctx, "pool trigger", "request", event.RequestType, "userPoolId", properties.UserPoolID,
		"status", answer.Status, "reason", answer.Reason)
	return h.respond(ctx, event.ResponseURL, answer)
}

// physicalID stays the same as long as the pool does. Another one makes CloudFormation delete the resource under the old
// one, which takes the trigger off the pool before.
func physicalID(event cfn.Event, p Properties) string {
	switch {
	case event.RequestType == cfn.RequestDelete:
		return event.PhysicalResourceID
	case p.UserPoolID == "": // nothing was done; a resource needs an id even so
		return event.RequestID
	default:
		return p.UserPoolID + "/PreTokenGeneration"
	}
}

func decode(raw map[string]any) (Properties, error) {
	var p Properties
	data, err := json.Marshal(raw)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		return p, fmt.Errorf("resource properties: %w", err)
	}
	if p.UserPoolID == "" || p.FunctionARN == "" || p.Version == "" {
		return p, errors.New("resource properties: UserPoolId, FunctionArn and LambdaVersion are required")
	}
	return p, nil
}

func (h *Handler) apply(ctx context.Context, event cfn.Event, p Properties) error {
	replaced := Trigger{p.ReplacedFunctionARN, p.ReplacedVersion}
	change := Change{UserPoolID: p.UserPoolID, AllowLite: p.SkipFeaturePlanCheck == "true"}
	switch event.RequestType {
	case cfn.RequestCreate, cfn.RequestUpdate:
		ours := []string{p.FunctionARN}
		if old, err := decode(event.OldResourceProperties); err == nil && old.UserPoolID == p.UserPoolID {
			ours = append(ours, old.FunctionARN)
		}
		change.Want = Trigger{p.FunctionARN, p.Version}
		change.May = func(present Trigger) error { return mayReplace(p.UserPoolID, present, ours, replaced) }
		return Apply(ctx, h.Cognito, h.Sleep, change)

	case cfn.RequestDelete:
		// Also after a creation that failed: then the trigger may be anybody's.
		change.Want, change.AllowLite = replaced, true
		change.May = func(present Trigger) error {
			if present.FunctionARN != p.FunctionARN {
				return errNotOurs
			}
			return nil
		}
		err := Apply(ctx, h.Cognito, h.Sleep, change)
		if apiErr, ok := errors.AsType[*APIError](err); ok && apiErr.Type == "ResourceNotFoundException" {
			return nil // the pool is gone, and its trigger with it
		}
		if errors.Is(err, errNotOurs) {
			return nil
		}
		return err

	default:
		return fmt.Errorf("request type %q: it is Create, Update or Delete", event.RequestType)
	}
}

// errNotOurs stops a removal: the trigger is not the one that is to be removed.
var errNotOurs = errors.New("the pool has another trigger")

func mayReplace(pool string, present Trigger, ours []string, replaced Trigger) error {
	for _, arn := range ours {
		if present.FunctionARN == arn {
			return nil
		}
	}
	if present == replaced {
		return nil
	}
	return fmt.Errorf("user pool %s has a pre token generation trigger already, %s, and a pool has only one: remove it, or set "+
		"ReplacedTriggerArn and ReplacedTriggerVersion to it, which puts it back when this stack lets go of the pool", pool, present)
}

// maxReason keeps the answer within the 4096 bytes that CloudFormation takes.
const maxReason = 2000

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}

// respond sends the answer. It is tried several times, since nobody asks again.
func (h *Handler) respond(ctx context.Context, url string, answer *cfn.Response) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	for attempt := range attempts {
		if attempt > 0 {
			if sleepErr := h.Sleep(ctx, time.Second<<(attempt-1)); sleepErr != nil {
				return errors.Join(err, sleepErr)
			}
		}
		if err = h.put(ctx, url, body); err == nil {
			return nil
		}
		h.Logger.WarnContext(ctx, "answer to CloudFormation", "error", err.Error())
	}
	return err
}

func (h *Handler) put(ctx context.Context, url string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, url, bytes.NewReader(body))
	if err != nil {
		return withoutURL(err)
	}
	// The address is signed for a request without a content type.
	response, err := h.HTTP.Do(request)
	if err != nil {
		return withoutURL(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("answering CloudFormation: HTTP %d", response.StatusCode)
	}
	return nil
}
