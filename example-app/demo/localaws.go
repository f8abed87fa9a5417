package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	account = "000000000000" // MiniStack's
	region  = "us-east-1"
	stackID = "Documents"
)

// A localAWS is a MiniStack on a port of its own.
type localAWS struct {
	workspace *workspace
	port      string
	endpoint  string
	password  string   // of all users, made up for this run
	service   *service // nil until it is started
}

// newLocalAWS prepares a MiniStack on a free port of the loopback interface.
func newLocalAWS(ctx context.Context, w *workspace) (*localAWS, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	return &localAWS{workspace: w, port: port, endpoint: "http://127.0.0.1:" + port, password: newPassword()}, nil
}

// start starts MiniStack and makes it ready for deployments.
func (c *localAWS) start(ctx context.Context) (string, error) {
	w := c.workspace
	// MiniStack hands its environment on to the Lambdas, so it gets only what it needs.
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + w.dir,
		"LANG=C.UTF-8",
		"TMPDIR=" + w.tmp,
		"STATE_DIR=" + filepath.Join(w.dir, "state"),
		"S3_DATA_DIR=" + filepath.Join(w.dir, "s3"),
		"GATEWAY_PORT=" + c.port,
		"BIND_HOST=127.0.0.1",
		// No listeners beside its port and the Lambdas' (those for MQTT and SFTP would take all interfaces), no mail, no Docker.
		"IOT_MTLS_ENABLED=0",
		"SFTP_ENABLED=0",
		"COGNITO_EMAIL_ENABLED=false",
		"DOCKER_HOST=unix://" + filepath.Join(w.dir, "no-docker"),
		// As on AWS, a sign-in fails when the trigger does.
		"MINISTACK_COGNITO_PRETOKEN_STRICT=1",
		// The SDKs' own convention, through which the authorizer finds the pool's keys.
		"AWS_ENDPOINT_URL=" + c.endpoint,
	}
	var err error
	if c.service, err = startService(w.log("ministack"), env, w.python(), "-m", "ministack"); err != nil {
		return "", err
	}
	if err := c.wait(ctx); err != nil {
		return "", err
	}
	return c.endpoint, c.cdk(ctx, "bootstrap", "aws://"+account+"/"+region, "--app", "")
}

// stop ends MiniStack and the Lambdas that it runs.
func (c *localAWS) stop() {
	if c.service != nil {
		c.service.stop()
	}
}

func freePort(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}

// wait returns when MiniStack answers, or with an error when it ended or took too long.
func (c *localAWS) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("MiniStack did not answer within a minute"))
	defer cancel()
	for {
		if c.healthy(ctx) {
			return nil
		}
		select {
		case <-c.service.exited:
			return fmt.Errorf("MiniStack ended at once, see %s", c.workspace.log("ministack"))
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *localAWS) healthy(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoint+"/_ministack/health", nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// env is the environment of the AWS clients.
func (c *localAWS) env() []string { return c.workspace.env(c.clientSettings()) }

// clientSettings make an AWS client talk to MiniStack.
func (c *localAWS) clientSettings() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL":      c.endpoint,
		"AWS_ENDPOINT_URL_S3":   c.endpoint, // the CLI's own form of S3 host names would not resolve
		"AWS_ACCESS_KEY_ID":     "test",
		"AWS_SECRET_ACCESS_KEY": "test",
		"AWS_REGION":            region,
		"AWS_DEFAULT_REGION":    region,
		"AWS_MAX_ATTEMPTS":      "1", // a refused sign-in is an answer, not a reason to try again
	}
}

// outputs are the stack's outputs.
type outputs struct {
	APIID              string `json:"ApiId"`
	RestAPIID          string `json:"RestApiId"`
	ChangesAPIID       string `json:"ChangesApiId"`
	UserPoolID         string `json:"UserPoolId"`
	ClientID           string `json:"ClientId"`
	ImporterClientID   string `json:"ImporterClientId"`
	SubscriptionsTable string `json:"SubscriptionsTable"`
	AuthorizerLogGroup string `json:"AuthorizerLogGroup"`
	ChangesLogGroup    string `json:"ChangesLogGroup"`
}

// deploy deploys the app with the policy in which ID tokens end on that day.
func (c *localAWS) deploy(ctx context.Context, day time.Time) (outputs, error) {
	file := filepath.Join(c.workspace.dir, "outputs.json")
	err := c.cdk(ctx, "deploy", "--app", c.workspace.assembly(day), "--require-approval", "never", "--outputs-file", file, stackID)
	if err != nil {
		return outputs{}, err
	}
	var stacks map[string]outputs
	if err := readJSON(file, &stacks); err != nil {
		return outputs{}, err
	}
	return stacks[stackID], nil
}

func (c *localAWS) cdk(ctx context.Context, subcommand string, args ...string) error {
	cdk := command{name: c.workspace.cdk(), args: append([]string{subcommand, "--no-notices"}, args...), env: c.env(),
		log: c.workspace.log(subcommand)}
	_, err := cdk.output(ctx)
	return err
}

// aws calls an operation with the AWS CLI. The input goes through a file, so that no password shows in a process list, a
// log or an error.
func (c *localAWS) aws(ctx context.Context, service, operation string, input, into any) error {
	request, err := json.Marshal(input)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(c.workspace.tmp, operation)
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(request)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	cli := command{name: c.workspace.python(), env: c.env(), log: c.workspace.log("aws"), args: []string{"-m", "awscli",
		service, operation, "--output", "json", "--cli-input-json", "file://" + file.Name()}}
	answer, err := cli.output(ctx)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(answer, into)
}

// handbook is what a person needs to go on with a stack that was left up.
func (c *localAWS) handbook(stack outputs) string {
	var names []string
	for _, u := range users {
		if !u.machine {
			names = append(names, u.name)
		}
	}
	var b strings.Builder
	aws := "'" + c.workspace.python() + "' -m awscli"
	fmt.Fprintf(&b, "\nThe stack is up. Ready to paste, in a shell that is not for a real account:\n\n")
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"} {
		fmt.Fprintf(&b, "  export %s=%s\n", name, c.clientSettings()[name])
	}
	fmt.Fprintf(&b, `
  # sign in: %[1]s
  TOKEN=$(%[2]s cognito-idp initiate-auth --client-id %[3]s --auth-flow USER_PASSWORD_AUTH \
    --auth-parameters USERNAME=%[4]s,PASSWORD=%[5]s --query AuthenticationResult.AccessToken --output text)

  # call the HTTP API and the REST API
  curl -i -H "Authorization: Bearer $TOKEN" '%[6]s'
  curl -i -H "Authorization: Bearer $TOKEN" '%[10]s'

  # get the machine's token, and call what is for machines alone
  SECRET=$(%[2]s cognito-idp describe-user-pool-client --user-pool-id %[11]s --client-id %[12]s \
    --query UserPoolClient.ClientSecret --output text)
  MACHINE=$(curl -s -d grant_type=client_credentials -u "%[12]s:$SECRET" $AWS_ENDPOINT_URL/oauth2/token |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
  curl -i -X POST -H "Authorization: Bearer $MACHINE" '%[13]s'

  # read why: the authorizer's log
  %[2]s logs filter-log-events --log-group-name '%[7]s' --query 'events[].[message]' --output text | grep outcome

  # stop it all
  kill %[8]d; rm -r '%[9]s'

`, strings.Join(names, ", "), aws, stack.ClientID, users[0].name, c.password, c.url(stack, httpAPI, "/documents"), stack.AuthorizerLogGroup,
		c.service.pid(), c.workspace.dir, c.url(stack, restAPI, "/documents"), stack.UserPoolID, stack.ImporterClientID,
		c.url(stack, httpAPI, "/imports"))
	return b.String()
}
