package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// signInAll creates the users and signs them in. It returns the tokens of those who got some, and of those whom the pre
// token generation trigger refused, what they were told. It fails when the trigger refuses somebody who should get some.
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
			if err := c.createUser(ctx, stack, u); err != nil {
				return err
			}
			got, err := c.signIn(ctx, stack, u.name)
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
