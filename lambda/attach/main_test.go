package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/claimsmith/claimsmith/lambda/internal/pooltrigger"
)

func TestEndpoint(t *testing.T) {
	for _, name := range []string{"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "AWS_ENDPOINT_URL", "CLAIMSMITH_URL_SUFFIX"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_REGION", "eusc-de-east-1")
	for _, c := range []struct{ name, value, want string }{
		{"CLAIMSMITH_URL_SUFFIX", "", "https://cognito-idp.eusc-de-east-1.amazonaws.com"},
		{"CLAIMSMITH_URL_SUFFIX", "amazonaws.eu", "https://cognito-idp.eusc-de-east-1.amazonaws.eu"},
		{"AWS_ENDPOINT_URL", "http://127.0.0.1:4566", "http://127.0.0.1:4566"},
		{"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "http://127.0.0.1:1", "http://127.0.0.1:1"},
	} {
		t.Setenv(c.name, c.value)
		if client := handler().Cognito.(*pooltrigger.Client); client.Endpoint != c.want || client.Region != "eusc-de-east-1" {
			t.Errorf("%s=%s: %s in %s, want %s", c.name, c.value, client.Endpoint, client.Region, c.want)
		}
	}
}

func TestCredentialsAreThoseOfTheRole(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_SESSION_TOKEN", "session")
	if c := credentials(); c.AccessKeyID != "id" || c.SecretAccessKey != "secret" || c.SessionToken != "session" {
		t.Errorf("got %+v", c)
	}
}

func TestSleepEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := sleep(t.Context(), 0); err != nil {
		t.Errorf("got %v", err)
	}
}
