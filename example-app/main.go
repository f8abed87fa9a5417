// Command example-app is a customer's CDK app: a small document API whose access rules are one policy, claims.yaml.
//
// `cdk deploy` deploys it to AWS as it is; `make demo` deploys it to a local AWS and shows who gets what.
package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	newDocumentsStack(app, "Documents")
	app.Synth(nil)
}
