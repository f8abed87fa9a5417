// Package validate has other people's checkers look at the templates that Claimsmith makes: cfn-lint, cfn-guard with rules
// of ours for what cfn-lint misses, Checkov, and cdk-nag. Its tests check every golden template and the example app's, and
// then, with templates that are broken on purpose, that each checker finds what it is here for.
//
// It is a module of its own, since no user of Claimsmith needs cdk-nag. make validate installs the other checkers into
// build/validate.
package validate
