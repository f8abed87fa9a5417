package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/claimsmith/claimsmith/lambda/apigw/apigwtest"
)

// node is where the peers in JavaScript are installed.
type node struct {
	program, version string // of Node itself
	peer             string // the version of aws-jwt-verify
	folder           string
	missing          string // why there is none
}

func installNode() node {
	n := node{folder: filepath.Join(buildFolder, "node")}
	if err := n.install(); err != nil {
		n.missing = err.Error()
	}
	return n
}

// install installs what lambda/apigw/corpus pins, so that there is one version of aws-jwt-verify in the project, with the
// scripts beside it.
func (n *node) install() (err error) {
	if n.program, err = exec.LookPath("node"); err != nil {
		return err
	}
	version, err := exec.Command(n.program, "--version").Output()
	if err != nil {
		return err
	}
	n.version = strings.TrimSpace(string(version))
	corpus := filepath.Join(root, "lambda", "apigw", "corpus", "node") + "/"
	files, err := filepath.Glob("node/*.mjs")
	if err != nil {
		return err
	}
	fresh := exists(filepath.Join(n.folder, "node_modules", "aws-jwt-verify"))
	for _, file := range append(files, corpus+"package.json", corpus+"package-lock.json") {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		to := filepath.Join(n.folder, filepath.Base(file))
		before, _ := os.ReadFile(to)
		fresh = fresh && (bytes.Equal(before, data) || filepath.Ext(file) == ".mjs")
		if err := errors.Join(os.MkdirAll(n.folder, 0o755), os.WriteFile(to, data, 0o644)); err != nil {
			return err
		}
	}
	if !fresh {
		npm := exec.Command("npm", "ci", "--no-audit", "--no-fund")
		npm.Dir = n.folder
		if output, err := npm.CombinedOutput(); err != nil {
			return fmt.Errorf("npm ci: %w: %s", err, output)
		}
	}
	var installed struct{ Version string }
	data, err := os.ReadFile(filepath.Join(n.folder, "node_modules", "aws-jwt-verify", "package.json"))
	if err == nil {
		err = json.Unmarshal(data, &installed)
	}
	n.peer = installed.Version
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// verifier is aws-jwt-verify in a process of its own, which measures itself: asking it costs more than what it does.
func (n *node) verifier(ctx context.Context, w *world) (peer, error) {
	ask, err := n.talk(ctx, "verify.mjs")
	if err != nil {
		return peer{}, err
	}
	var events []string
	for _, event := range calls(apigwtest.HTTP2, w.tokens) {
		events = append(events, string(event))
	}
	response, err := http.Get(w.keysURL())
	if err != nil {
		return peer{}, err
	}
	defer response.Body.Close()
	keys, err := io.ReadAll(response.Body)
	if err != nil {
		return peer{}, err
	}
	_, err = ask(map[string]any{
		"do": "setup", "tokens": w.tokens, "events": events, "userPoolId": w.pool.ID, "clientId": w.pool.ClientID, "jwks": json.RawMessage(keys),
	})
	answered := func(request any) (nodeAnswer, error) {
		answer, err := ask(request)
		if err == nil && answer.Error != "" {
			err = errors.New(answer.Error)
		}
		return answer, err
	}
	return peer{
		name: awsJWTVerify,
		does: "in Node; minds no absent expiry; verifies by its synchronous call",
		api:  apigwtest.HTTP2,
		verify: func(raw string) error {
			_, err := answered(map[string]any{"do": verifying, "token": raw})
			return err
		},
		decide: func(event []byte) ([]byte, error) {
			answer, err := answered(map[string]any{"do": deciding, "event": string(event)})
			return []byte(answer.Answer), err
		},
		sample: func(what string, n int) (sample, error) {
			answer, err := answered(map[string]any{"do": "measure", "what": what, "distinct": n, "milliseconds": benchtime.Milliseconds()})
			return sample{nanoseconds: answer.NS}, err
		},
	}, err
}

type nodeAnswer struct {
	Error, Answer string
	NS            float64
}

// talk starts a script that answers each line with a line.
func (n *node) talk(ctx context.Context, script string) (func(request any) (nodeAnswer, error), error) {
	command := exec.CommandContext(ctx, n.program, script)
	command.Dir, command.Stderr = n.folder, os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReader(stdout)
	return func(request any) (answer nodeAnswer, err error) {
		if err := json.NewEncoder(stdin).Encode(request); err != nil {
			return answer, err
		}
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return answer, fmt.Errorf("%s: %w", script, err)
		}
		return answer, json.Unmarshal(line, &answer)
	}, command.Start()
}
