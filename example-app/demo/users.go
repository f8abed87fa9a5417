package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// signInAll creates the users and signs them in, and the machine, whose client came with the stack. It returns the tokens of
// those who got some, and of those whom the pre token generation trigger refused, what they were told. It fails when the
// trigger refuses somebody who should get some.
func (c *localAWS) signInAll(ctx context.Context, stack outputs, users []user) (map[string]tokens, map[string]string, error) {
	var groups []string
	for _, u := range users {
		groups = append(groups, u.groups...)
	}
	slices.Sort(groups)
	var create []func(context.Context) error
	for _, group := range slices.Compact(groups) {
		create = append(create, func(ctx context.Context) error {
			return c.cognito(ctx, "create-group", map[string]any{"UserPoolId": stack.UserPoolID, "GroupName": group}, nil)
		})
	}
	if err := parallel(ctx, create...); err != nil {
		return nil, nil, err
	}

	var mu sync.Mutex
	signedIn, refused := map[string]tokens{}, map[string]string{}
	var each []func(context.Context) error
	for _, u := range users {
		each = append(each, func(ctx context.Context) error {
			got, err := c.firstSignIn(ctx, stack, u)
			text, isRefusal := refusal(err)
			if err != nil && (!isRefusal || u.refusal == "") {
				return fmt.Errorf("%s could not sign in: %w", u.name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if isRefusal {
				refused[u.name] = text
			} else {
				signedIn[u.name] = got
			}
			return nil
		})
	}
	return signedIn, refused, parallel(ctx, each...)
}

func (c *localAWS) firstSignIn(ctx context.Context, stack outputs, u user) (tokens, error) {
	if u.machine {
		return c.machineToken(ctx, stack)
	}
	if err := c.createUser(ctx, stack, u); err != nil {
		return tokens{}, err
	}
	return c.signIn(ctx, stack, u.name)
}

func (c *localAWS) createUser(ctx context.Context, stack outputs, u user) error {
	type attribute struct{ Name, Value string }
	attributes := []attribute{} // an empty list, not null, when there are none
	for _, a := range []attribute{{"custom:company_id", u.company}, {"custom:partner_id", u.partner}} {
		if a.Value != "" {
			attributes = append(attributes, a)
		}
	}
	if err := c.cognito(ctx, "admin-create-user", map[string]any{
		"UserPoolId": stack.UserPoolID, "Username": u.name, "UserAttributes": attributes, "MessageAction": "SUPPRESS",
	}, nil); err != nil {
		return err
	}
	if err := c.cognito(ctx, "admin-set-user-password", map[string]any{
		"UserPoolId": stack.UserPoolID, "Username": u.name, "Password": c.password, "Permanent": true,
	}, nil); err != nil {
		return err
	}
	for _, group := range u.groups {
		if err := c.cognito(ctx, "admin-add-user-to-group", map[string]any{
			"UserPoolId": stack.UserPoolID, "Username": u.name, "GroupName": group,
		}, nil); err != nil {
			return err
		}
	}
	return nil
}

func (c *localAWS) signIn(ctx context.Context, stack outputs, name string) (tokens, error) {
	var answer struct{ AuthenticationResult tokens }
	err := c.cognito(ctx, "initiate-auth", map[string]any{
		"ClientId": stack.ClientID, "AuthFlow": "USER_PASSWORD_AUTH",
		"AuthParameters": map[string]string{"USERNAME": name, "PASSWORD": c.password},
	}, &answer)
	return answer.AuthenticationResult, err
}

// machineToken gets a token as a program does that acts on its own (client credentials): with its client's id and secret.
func (c *localAWS) machineToken(ctx context.Context, stack outputs) (tokens, error) {
	var described struct{ UserPoolClient struct{ ClientSecret string } }
	if err := c.cognito(ctx, "describe-user-pool-client", map[string]any{
		"UserPoolId": stack.UserPoolID, "ClientId": stack.ImporterClientID,
	}, &described); err != nil {
		return tokens{}, err
	}
	return fetchToken(ctx, c.endpoint+"/oauth2/token", stack.ImporterClientID, described.UserPoolClient.ClientSecret)
}

func fetchToken(ctx context.Context, endpoint, id, secret string) (tokens, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return tokens{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(id, secret)
	response, err := client.Do(request)
	if err != nil {
		return tokens{}, err
	}
	defer response.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		return tokens{}, fmt.Errorf("the token endpoint answered %s, error %q", response.Status, answer.Error)
	}
	return tokens{Access: answer.AccessToken}, nil
}

// subscribe writes rows of the table of subscriptions.
func (c *localAWS) subscribe(ctx context.Context, stack outputs, tiers map[string]string) error {
	var put []func(context.Context) error
	for company, tier := range tiers {
		put = append(put, func(ctx context.Context) error {
			return c.aws(ctx, "dynamodb", "put-item", map[string]any{
				"TableName": stack.SubscriptionsTable,
				"Item":      map[string]any{"company_id": map[string]string{"S": company}, "tier": map[string]string{"S": tier}},
			}, nil)
		})
	}
	return parallel(ctx, put...)
}

func (c *localAWS) cognito(ctx context.Context, operation string, input, into any) error {
	return c.aws(ctx, "cognito-idp", operation, input, into)
}

// refusal returns what a user was told whom the trigger refused. Any other failure is not a refusal.
func refusal(err error) (text string, ok bool) {
	failed, ok := errors.AsType[*commandError](err)
	if !ok {
		return "", false
	}
	const trigger = "PreTokenGeneration"
	_, text, ok = strings.Cut(failed.stderr, trigger)
	return trigger + text, ok
}
