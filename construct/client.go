package construct

import (
	"cmp"
	"errors"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/jsii-runtime-go"
)

// clientOptions returns a copy of the options with the defaults that [TokenClaims.AddClient] documents. read are the user
// attributes that the policy reads.
func clientOptions(options *awscognito.UserPoolClientOptions, read []string) (*awscognito.UserPoolClientOptions, error) {
	var r awscognito.UserPoolClientOptions
	if options != nil {
		r = *options
	}
	r.PreventUserExistenceErrors = cmp.Or(r.PreventUserExistenceErrors, jsii.Bool(true))
	r.EnableTokenRevocation = cmp.Or(r.EnableTokenRevocation, jsii.Bool(true))
	r.AuthFlows = cmp.Or(r.AuthFlows, &awscognito.AuthFlow{UserSrp: jsii.Bool(true)})
	if r.WriteAttributes == nil {
		r.WriteAttributes = writableAttributes(read)
	}
	if r.OAuth == nil {
		r.DisableOAuth = cmp.Or(r.DisableOAuth, jsii.Bool(true))
		return &r, nil
	}

	oauth := *r.OAuth
	oauth.Flows = cmp.Or(oauth.Flows, &awscognito.OAuthFlows{AuthorizationCodeGrant: jsii.Bool(true)})
	oauth.Scopes = cmp.Or(oauth.Scopes, &[]awscognito.OAuthScope{awscognito.OAuthScope_OPENID()})
	redirects := isTrue(oauth.Flows.AuthorizationCodeGrant) || isTrue(oauth.Flows.ImplicitCodeGrant)
	if redirects && (oauth.CallbackUrls == nil || len(*oauth.CallbackUrls) == 0) {
		return nil, errors.New("options.OAuth.CallbackUrls is empty, but a grant redirects there " +
			"(CDK would register https://example.com): list your app's URLs")
	}
	r.OAuth = &oauth
	return &r, nil
}

// writableAttributes are the standard attributes that the policy does not read.
func writableAttributes(read []string) awscognito.ClientAttributes {
	may := func(attribute string) *bool { return jsii.Bool(!slices.Contains(read, attribute)) }
	return awscognito.NewClientAttributes().WithStandardAttributes(&awscognito.StandardAttributesMask{
		Address:           may("address"),
		Birthdate:         may("birthdate"),
		Email:             may("email"),
		FamilyName:        may("family_name"),
		Fullname:          may("name"),
		Gender:            may("gender"),
		GivenName:         may("given_name"),
		LastUpdateTime:    may("updated_at"),
		Locale:            may("locale"),
		MiddleName:        may("middle_name"),
		Nickname:          may("nickname"),
		PhoneNumber:       may("phone_number"),
		PreferredUsername: may("preferred_username"),
		ProfilePage:       may("profile"),
		ProfilePicture:    may("picture"),
		Timezone:          may("zoneinfo"),
		Website:           may("website"),
	})
}

func isTrue(b *bool) bool { return b != nil && *b }
