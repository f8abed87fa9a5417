package construct

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// Monitoring adds alarms and a dashboard. Its zero value is every alarm with its default threshold, and no action.
type Monitoring struct {
	// AlarmActions are what is done when an alarm goes off, such as awscloudwatchactions.NewSnsAction(topic). Default:
	// nothing; the alarms can be looked at.
	AlarmActions []awscloudwatch.IAlarmAction

	// Thresholds replace the alarms' own: how much within five minutes sets the alarm off. What is set for an alarm of
	// authorizers holds for each of them. Default: what the alarm's comment says.
	Thresholds map[Alarm]float64

	// WithoutAlarms are the alarms that are left out. Default: none.
	WithoutAlarms []Alarm

	// WithoutDashboard leaves the dashboard out. Default: false.
	WithoutDashboard bool
}

// Alarm names an alarm. It goes off as soon as its metric reaches the threshold within five minutes; no data are no
// reason. What each means, and what to do then, is in docs/operations.md.
type Alarm string

// The alarms of the claims function. Each has the id of its name followed by Alarm.
const (
	// AlarmClaimsErrors counts sign-ins and refreshes that failed: faults, and those that the policy refused. Default
	// threshold: 5, so that one account that is refused and tries again does not set it off.
	AlarmClaimsErrors Alarm = "ClaimsErrors"

	// AlarmClaimsThrottles counts sign-ins and refreshes that failed since Lambda refused to run the function. Default
	// threshold: 1.
	AlarmClaimsThrottles Alarm = "ClaimsThrottles"

	// AlarmClaimsDuration is the longest time that the function took, in milliseconds. Default threshold: four fifths
	// of its timeout, so 4,000 of the 5,000 that Cognito waits.
	AlarmClaimsDuration Alarm = "ClaimsDuration"

	// AlarmClaimsLookupFailures counts lookups that failed: the sign-in did too, or its token has a default or lacks a
	// claim, as the policy says. Only with a policy that has lookups. Default threshold: 5.
	AlarmClaimsLookupFailures Alarm = "ClaimsLookupFailures"
)

// The alarms of each authorizer. Each has the id of the authorizer's name, the alarm's name, and Alarm.
const (
	// AlarmAuthorizerErrors counts failed invocations. Each answered 500, so the default threshold is 5. But for REST and
	// WebSocket APIs, and with [InvalidTokenUnauthorized], an error is also how API Gateway is told to answer 401 to an
	// invalid token; the default threshold is then that of AlarmAuthorizerInvalidTokens, and AlarmAuthorizerFaults
	// is the one to go by.
	AlarmAuthorizerErrors Alarm = "AuthorizerErrors"

	// AlarmAuthorizerThrottles counts requests that were answered 500 since Lambda refused to run the function. Default
	// threshold: 1.
	AlarmAuthorizerThrottles Alarm = "AuthorizerThrottles"

	// AlarmAuthorizerFaults counts requests that could not be decided about. Default threshold: 5.
	AlarmAuthorizerFaults Alarm = "AuthorizerFaults"

	// AlarmAuthorizerDenials counts requests with a valid token that a rule refused. What is usual depends on the API.
	// Default threshold: 100.
	AlarmAuthorizerDenials Alarm = "AuthorizerDenials"

	// AlarmAuthorizerInvalidTokens counts requests whose token is not valid. Default threshold: 100.
	AlarmAuthorizerInvalidTokens Alarm = "AuthorizerInvalidTokens"

	// AlarmAuthorizerKeyFetchFailures counts the times that the pool's keys could not be fetched. Default threshold: 3.
	AlarmAuthorizerKeyFetchFailures Alarm = "AuthorizerKeyFetchFailures"
)

// alarms are the default thresholds, and what an alarm that goes off says.
var alarms = map[Alarm]struct {
	threshold float64
	says      string
}{
	AlarmClaimsErrors:         {5, "Sign-ins or token refreshes fail."},
	AlarmClaimsThrottles:      {1, "Sign-ins or token refreshes fail: Lambda throttles the claims function."},
	AlarmClaimsDuration:       {0, "Sign-ins are about to fail: the claims function takes nearly as long as Cognito waits."},
	AlarmClaimsLookupFailures: {5, "The claims function cannot look up rows that the policy needs."},

	AlarmAuthorizerErrors:           {5, "Invocations of the authorizer fail."},
	AlarmAuthorizerThrottles:        {1, "Requests are answered 500: Lambda throttles the authorizer."},
	AlarmAuthorizerFaults:           {5, "Requests are answered 500: the authorizer cannot decide about them."},
	AlarmAuthorizerDenials:          {100, "Unusually many requests are refused by a rule."},
	AlarmAuthorizerInvalidTokens:    {100, "Unusually many requests have a token that is not valid."},
	AlarmAuthorizerKeyFetchFailures: {3, "The user pool's public keys cannot be fetched."},
}

// runbook is where each alarm has a section of its own.
const runbook = "https://github.com/claimsmith/claimsmith/blob/main/docs/operations.md"

// validate refuses what contradicts itself or names no alarm.
func (m *Monitoring) validate(refuse func(format string, args ...any)) {
	if m == nil {
		return
	}
	known := slices.Sorted(maps.Keys(alarms))
	for _, alarm := range slices.Sorted(maps.Keys(m.Thresholds)) {
		switch threshold := m.Thresholds[alarm]; {
		case !slices.Contains(known, alarm):
			refuse("Monitoring.Thresholds has %q: the alarms are %q", alarm, known)
		case slices.Contains(m.WithoutAlarms, alarm):
			refuse("Monitoring.Thresholds has %q, which WithoutAlarms leaves out: take it out of one of them", alarm)
		case threshold <= 0:
			refuse("Monitoring.Thresholds[%q] is %v, which is always reached: it is above 0, or leave the alarm out with WithoutAlarms", alarm, threshold)
		}
	}
	for _, alarm := range m.WithoutAlarms {
		if !slices.Contains(known, alarm) {
			refuse("Monitoring.WithoutAlarms has %q: the alarms are %q", alarm, known)
		}
	}
}

// clone is the same in other memory.
func (m *Monitoring) clone() *Monitoring {
	if m == nil {
		return nil
	}
	c := *m
	c.AlarmActions, c.Thresholds, c.WithoutAlarms = slices.Clone(m.AlarmActions), maps.Clone(m.Thresholds), slices.Clone(m.WithoutAlarms)
	return &c
}

// monitorClaims adds the alarms of the claims function, and its row on the dashboard.
func (t *tokenClaims) monitorClaims() {
	if t.props.Monitoring == nil {
		return
	}
	t.addAlarm("", AlarmClaimsErrors, t.MetricClaimsErrors(nil))
	t.addAlarm("", AlarmClaimsThrottles, t.MetricClaimsThrottles(nil))
	t.addAlarm("", AlarmClaimsDuration, t.MetricClaimsDuration(&awscloudwatch.MetricOptions{Statistic: awscloudwatch.Stats_MAXIMUM()}))
	t.addToDashboard(
		graph("Sign-ins and refreshes", t.MetricClaimsMints(MintIssued, label("issued")), t.MetricClaimsMints(MintRefused, label("refused")),
			t.MetricClaimsMints(MintFault, label("fault"))),
		graph("Claims function: failed", t.MetricClaimsErrors(nil), t.MetricClaimsThrottles(nil)),
		durations("Claims function: duration", t.claimsFunction),
	)
	if len(t.policy.tables()) > 0 {
		t.addAlarm("", AlarmClaimsLookupFailures, t.MetricClaimsLookupFailures(nil))
		t.addToDashboard(
			graph("Lookups: failed", t.MetricClaimsLookupFailures(nil)),
			graph("Lookups: duration", t.MetricClaimsLookupDuration(statistic("p50")), t.MetricClaimsLookupDuration(statistic("p99"))),
			graph("Claims left out", t.MetricClaimsOmittedClaims(nil)),
		)
	}
}

// monitor adds the alarms of the authorizer, and its rows on the dashboard.
func (a *authorizer) monitor() {
	t, name, function := a.owner, a.name, a.function
	if t.props.Monitoring == nil {
		return
	}
	a.errorsAlarm = t.addAlarm(name, AlarmAuthorizerErrors, t.MetricAuthorizerErrors(name, nil))
	if t.props.InvalidToken == InvalidTokenUnauthorized {
		a.expectErrors()
	}
	t.addAlarm(name, AlarmAuthorizerThrottles, t.MetricAuthorizerThrottles(name, nil))
	t.addAlarm(name, AlarmAuthorizerFaults, t.MetricAuthorizerDecisions(name, DecisionFault, nil))
	t.addAlarm(name, AlarmAuthorizerDenials, t.MetricAuthorizerDecisions(name, DecisionDeny, nil))
	t.addAlarm(name, AlarmAuthorizerInvalidTokens, t.MetricAuthorizerDecisions(name, DecisionInvalidToken, nil))
	t.addAlarm(name, AlarmAuthorizerKeyFetchFailures, t.MetricAuthorizerKeyFetchFailures(name, nil))
	decisions := []awscloudwatch.IMetric{
		t.MetricAuthorizerDecisions(name, DecisionAllow, label("allow")), t.MetricAuthorizerDecisions(name, DecisionDeny, label("deny")),
		t.MetricAuthorizerDecisions(name, DecisionInvalidToken, label("invalid token")), t.MetricAuthorizerDecisions(name, DecisionFault, label("fault")),
	}
	if a.checker != nil && !a.checker.IDTokensUntil().IsZero() {
		decisions = append(decisions, t.MetricAuthorizerIDTokenUses(name, label("with an ID token")))
	}
	t.addToDashboard(
		graph(name+": decisions", decisions...),
		graph(name+": why not", awscloudwatch.NewSearchExpression(&awscloudwatch.SearchExpressionProps{
			Expression: jsii.Sprintf(`SEARCH('{"%s",FunctionName,Reason} MetricName="Refusals" FunctionName="%s"', 'Sum', 300)`,
				t.props.metricsNamespace(), *function.FunctionName()),
			Label: jsii.String("${PROP('Dim.Reason')}"),
		})),
		durations(name+": duration", function),
	)
	t.addToDashboard(
		graph(name+": failed", t.MetricAuthorizerErrors(name, nil), t.MetricAuthorizerThrottles(name, nil)),
		graph(name+": keys", t.MetricAuthorizerKeyFetches(name, nil), t.MetricAuthorizerKeyFetchFailures(name, nil)),
		awscloudwatch.NewLogQueryWidget(&awscloudwatch.LogQueryWidgetProps{
			Title: jsii.String(name + ": what was refused"), Width: jsii.Number(widgetWidth), Height: jsii.Number(widgetHeight),
			LogGroupNames: &[]*string{function.LogGroup().LogGroupName()},
			QueryLines: jsii.Strings(`filter message = "decision" and outcome != "allow"`,
				`stats count(*) as requests by outcome, route, reasons.0.message, error`, `sort requests desc`, `limit 20`),
		}),
	)
}

// expectErrors is called when the authorizer is found to answer invalid tokens with an error.
func (a *authorizer) expectErrors() {
	if a.errorsAlarm == nil {
		return
	}
	if _, set := a.owner.props.Monitoring.Thresholds[AlarmAuthorizerErrors]; !set {
		a.errorsAlarm.Node().DefaultChild().(awscloudwatch.CfnAlarm).SetThreshold(jsii.Number(alarms[AlarmAuthorizerInvalidTokens].threshold))
	}
}

// addAlarm adds an alarm, of that authorizer if there is one, and returns it, or nil if it is left out.
func (t *tokenClaims) addAlarm(authorizer string, name Alarm, metric awscloudwatch.Metric) awscloudwatch.Alarm {
	monitoring := t.props.Monitoring
	if slices.Contains(monitoring.WithoutAlarms, name) {
		return nil
	}
	threshold, set := monitoring.Thresholds[name]
	switch {
	case set:
	case name == AlarmClaimsDuration:
		threshold = 0.8 * timeoutOf(t.claimsFunction)
	default:
		threshold = alarms[name].threshold
	}
	alarm := metric.CreateAlarm(t, jsii.String(authorizer+string(name)+"Alarm"), &awscloudwatch.CreateAlarmOptions{
		AlarmDescription:   jsii.Sprintf("%s %s#%s", alarms[name].says, runbook, strings.ToLower(string(name))),
		Threshold:          jsii.Number(threshold),
		EvaluationPeriods:  jsii.Number(1),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
	})
	alarm.AddAlarmAction(monitoring.AlarmActions...)
	return alarm
}

// addToDashboard adds a row.
func (t *tokenClaims) addToDashboard(widgets ...awscloudwatch.IWidget) {
	if t.props.Monitoring.WithoutDashboard {
		return
	}
	if t.dashboard == nil {
		t.dashboard = awscloudwatch.NewDashboard(t, jsii.String("Dashboard"), nil)
	}
	t.dashboard.AddWidgets(widgets...)
}

// Three widgets are a row.
const widgetWidth, widgetHeight = 8, 6

func graph(title string, metrics ...awscloudwatch.IMetric) awscloudwatch.IWidget {
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
		Title: jsii.String(title), Width: jsii.Number(widgetWidth), Height: jsii.Number(widgetHeight), Left: &metrics,
		LeftYAxis: &awscloudwatch.YAxisProps{Min: jsii.Number(0)},
	})
}

// durations shows how long the function takes, below its timeout.
func durations(title string, function awslambda.Function) awscloudwatch.IWidget {
	var metrics []awscloudwatch.IMetric
	for _, name := range []string{"p50", "p99", "Maximum"} {
		metrics = append(metrics, function.MetricDuration(statistic(name)))
	}
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
		Title: jsii.String(title), Width: jsii.Number(widgetWidth), Height: jsii.Number(widgetHeight), Left: &metrics,
		LeftYAxis:       &awscloudwatch.YAxisProps{Min: jsii.Number(0)},
		LeftAnnotations: &[]*awscloudwatch.HorizontalAnnotation{{Value: jsii.Number(timeoutOf(function)), Label: jsii.String("timeout")}},
	})
}

func timeoutOf(function awslambda.Function) (milliseconds float64) {
	return *function.Timeout().ToMilliseconds(&awscdk.TimeConversionOptions{})
}

func label(text string) *awscloudwatch.MetricOptions {
	return &awscloudwatch.MetricOptions{Label: jsii.String(text)}
}

func statistic(name string) *awscloudwatch.MetricOptions {
	return &awscloudwatch.MetricOptions{Statistic: jsii.String(name), Label: jsii.String(name)}
}
