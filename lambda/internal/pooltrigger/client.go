package pooltrigger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Client is the Cognito user pools API as it is on the wire: JSON in, JSON out, signed with AWS's own signer. The SDK's
// service client is not used because its types drop what they do not know; see the package comment.
type Client struct {
	Endpoint    string // such as https://cognito-idp.eu-west-1.amazonaws.com
	Region      string
	Credentials func() aws.Credentials
	HTTP        *http.Client
	Now         func() time.Time
}

// APIError is an error that Cognito answered with.
type APIError struct {
	Operation string
	Status    int
	Type      string // such as InvalidParameterException
	Message   string
}

func (e *APIError) Error() string {
	return fmt.Sprintf("%s: %s (HTTP %d): %s", e.Operation, e.Type, e.Status, e.Message)
}

// transient is an error that the next attempt may not have.
type transient struct{ error }

func (t transient) Unwrap() error { return t.error }

func isTransient(err error) bool {
	_, ok := errors.AsType[transient](err)
	return ok
}

// maxAnswer is more than a pool's configuration, including message templates and tags, can have.
const maxAnswer = 4 << 20

// Call sends input and decodes the answer into output, unless that is nil. Numbers keep their digits: they are json.Number.
func (c *Client) Call(ctx context.Context, operation string, input, output any) error {
	body, err := json.Marshal(input)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, c.Credentials(), request, hex.EncodeToString(sum[:]), "cognito-idp", c.Region, c.Now()); err != nil {
		return err
	}

	response, err := c.HTTP.Do(request)
	if err != nil {
		return transient{fmt.Errorf("%s: %w", operation, withoutURL(err))}
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return transient{fmt.Errorf("%s: reading the answer: %w", operation, err)}
	}
	if response.StatusCode != http.StatusOK {
		return apiError(operation, response.StatusCode, answer)
	}
	if output == nil {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	if err := decoder.Decode(output); err != nil {
		return transient{fmt.Errorf("%s: the answer is not JSON: %w", operation, err)}
	}
	return nil
}

// apiError tells the errors that another attempt may not have from the others.
func apiError(operation string, status int, answer []byte) error {
	var body struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(answer, &body); err != nil {
		body.Message = "the answer is not JSON"
	}
	_, name, found := strings.Cut(body.Type, "#") // some services put a namespace before it
	if !found {
		name = body.Type
	}
	err := &APIError{Operation: operation, Status: status, Type: name, Message: body.Message}
	switch {
	case status >= 500, status == http.StatusTooManyRequests:
		return transient{err}
	}
	switch name {
	case "TooManyRequestsException", "ThrottlingException", "InternalErrorException", "ConcurrentModificationException",
		// A role or its policy that was made moments ago is not known everywhere yet.
		"InvalidSmsRoleAccessPolicyException", "InvalidSmsRoleTrustRelationshipException":
		return transient{err}
	}
	return err
}

// withoutURL is what went wrong without where: a pre-signed address is a credential.
func withoutURL(err error) error {
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		return urlErr.Err
	}
	return err
}
