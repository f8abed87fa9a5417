package construct_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
)

func monitored(app awscdk.App) {
	stack := awscdk.NewStack(app, jsii.String("Documents"), nil)
	onCall := awssns.NewTopic(stack, jsii.String("OnCall"), &awssns.TopicProps{EnforceSSL: jsii.Bool(true)})
	auth := construct.NewTokenClaims(stack, "Auth", &construct.TokenClaimsProps{
		Policy: construct.PolicyFile("claims.yaml"),
		Monitoring: &construct.Monitoring{
			AlarmActions:  []awscloudwatch.IAlarmAction{awscloudwatchactions.NewSnsAction(onCall)},
			Thresholds:    map[construct.Alarm]float64{construct.AlarmClaimsErrors: 20},
			WithoutAlarms: []construct.Alarm{construct.AlarmAuthorizerDenials},
		},
	})
	auth.AddClient("Web", nil)
	awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		DefaultAuthorizer: auth.HttpAuthorizer("Documents"),
	})
}
