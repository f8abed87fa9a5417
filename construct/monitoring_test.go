package construct_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/claimsmith/claimsmith/construct"
)

// alarms are the thresholds of a template's alarms, by the alarm's logical id without its hash.
func (tpl template) alarms() map[string]float64 {
	found := map[string]float64{}
	for id, alarm := range tpl.resources("AWS::CloudWatch::Alarm") {
		found[id[:len(id)-8]] = alarm["Properties"].(map[string]any)["Threshold"].(float64)
	}
	return found
}

// watched is an app that has everything that alarms can be about.
func watched(t *testing.T, monitoring *construct.Monitoring) (*fixture, construct.TokenClaims) {
	t.Helper()
	f := newFixture(t)
	tables := map[string]awsdynamodb.ITable{"subscriptions": f.table("Subscriptions", nil), "history": f.table("History", nil)}
	auth := f.claims(func(p *construct.TokenClaimsProps) {
		p.Policy, p.LookupTables, p.Monitoring = construct.PolicyFile(policyFile(t, tierPolicy)), tables, monitoring
		timeout := 3 * time.Second
		p.Timeout = &timeout
	})
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), "GET /documents")
	return f, auth
}

func TestAlarms(t *testing.T) {
	f, _ := watched(t, &construct.Monitoring{})
	want := map[string]float64{
		"AuthClaimsErrorsAlarm": 5, "AuthClaimsThrottlesAlarm": 1, "AuthClaimsDurationAlarm": 2400, "AuthClaimsLookupFailuresAlarm": 5,
		"AuthDocumentsAuthorizerErrorsAlarm": 5, "AuthDocumentsAuthorizerThrottlesAlarm": 1, "AuthDocumentsAuthorizerFaultsAlarm": 5,
		"AuthDocumentsAuthorizerDenialsAlarm": 100, "AuthDocumentsAuthorizerInvalidTokensAlarm": 100, "AuthDocumentsAuthorizerKeyFetchFailuresAlarm": 3,
	}
	if got := f.template().alarms(); !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}

	f, _ = watched(t, &construct.Monitoring{
		Thresholds:       map[construct.Alarm]float64{construct.AlarmClaimsErrors: 50, construct.AlarmClaimsDuration: 1000, construct.AlarmAuthorizerDenials: 7.5},
		WithoutAlarms:    []construct.Alarm{construct.AlarmClaimsThrottles, construct.AlarmAuthorizerErrors},
		WithoutDashboard: true,
	})
	want["AuthClaimsErrorsAlarm"], want["AuthClaimsDurationAlarm"], want["AuthDocumentsAuthorizerDenialsAlarm"] = 50, 1000, 7.5
	delete(want, "AuthClaimsThrottlesAlarm")
	delete(want, "AuthDocumentsAuthorizerErrorsAlarm")
	tpl := f.template()
	if got := tpl.alarms(); !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	tpl.count("AWS::CloudWatch::Dashboard", 0)
}

// Where an invalid token is an error of the function, errors alone are no reason to be woken.
func TestErrorsAreExpectedWhereTheyMean401(t *testing.T) {
	for name, c := range map[string]struct {
		props func(*construct.TokenClaimsProps)
		use   func(construct.TokenClaims)
		want  float64
	}{
		"HTTP": {nil, func(auth construct.TokenClaims) { auth.HttpAuthorizer("Documents") }, 5},
		"REST": {nil, func(auth construct.TokenClaims) { auth.RestAuthorizer("Documents") }, 100},
		"WebSocket": {nil, func(auth construct.TokenClaims) {
			auth.HttpAuthorizer("Documents")
			auth.WebSocketAuthorizer("Documents")
		}, 100},
		"HTTP, unauthorized": {func(p *construct.TokenClaimsProps) { p.InvalidToken = construct.InvalidTokenUnauthorized },
			func(auth construct.TokenClaims) { auth.HttpAuthorizer("Documents") }, 100},
		"REST, but set": {func(p *construct.TokenClaimsProps) {
			p.Monitoring.Thresholds = map[construct.Alarm]float64{construct.AlarmAuthorizerErrors: 7}
		}, func(auth construct.TokenClaims) { auth.RestAuthorizer("Documents") }, 7},
		"REST, but left out": {func(p *construct.TokenClaimsProps) {
			p.Monitoring.WithoutAlarms = []construct.Alarm{construct.AlarmAuthorizerErrors}
		}, func(auth construct.TokenClaims) { auth.RestAuthorizer("Documents") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			auth := f.claims(func(p *construct.TokenClaimsProps) {
				p.Monitoring = &construct.Monitoring{}
				if c.props != nil {
					c.props(p)
				}
			})
			c.use(auth)
			got := 0.0
			if alarm, ok := auth.Node().TryFindChild(jsii.String("DocumentsAuthorizerErrorsAlarm")).(awscloudwatch.Alarm); ok {
				got = *alarm.Node().DefaultChild().(awscloudwatch.CfnAlarm).Threshold()
			}
			if got != c.want {
				t.Errorf("threshold %v, want %v", got, c.want)
			}
		})
	}
}

func TestNothingIsMonitoredUnasked(t *testing.T) {
	f, _ := watched(t, nil)
	tpl := f.template()
	tpl.count("AWS::CloudWatch::Alarm", 0)
	tpl.count("AWS::CloudWatch::Dashboard", 0)
}

// Alarms and dashboard are in the construct's stack, wherever the claims function is, and without one there are those of
// the authorizers.
func TestWhatIsElsewhereIsMonitoredHere(t *testing.T) {
	f := newFixture(t)
	pool := awscognito.NewUserPool(awscdk.NewStack(f.app, jsii.String("Identity"), nil), jsii.String("Users"), &awscognito.UserPoolProps{
		FeaturePlan: awscognito.FeaturePlan_PLUS,
	})
	auth := f.claims(func(p *construct.TokenClaimsProps) {
		p.UserPoolProps, p.UserPool, p.Monitoring = nil, pool, &construct.Monitoring{}
	})
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	if got := len(f.template().alarms()); got != 9 {
		t.Errorf("%d alarms", got)
	}

	f = newFixture(t)
	auth = f.claims(func(p *construct.TokenClaimsProps) {
		p.UserPoolProps, p.MintedElsewhere, p.Monitoring = nil, true, &construct.Monitoring{}
	})
	auth.AcceptPool(f.importedPool("Users", "eu-west-1_Example"), f.importedClient("web"))
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	if got := len(f.template().alarms()); got != 6 {
		t.Errorf("%d alarms", got)
	}
}

func TestMonitoringIsCopied(t *testing.T) {
	monitoring := &construct.Monitoring{Thresholds: map[construct.Alarm]float64{construct.AlarmClaimsErrors: 50}}
	f := newFixture(t)
	auth := f.claims(func(p *construct.TokenClaimsProps) { p.Monitoring = monitoring })
	monitoring.WithoutDashboard = true
	monitoring.Thresholds[construct.AlarmAuthorizerErrors] = 50
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	tpl := f.template()
	tpl.count("AWS::CloudWatch::Dashboard", 1)
	if got := tpl.alarms()["AuthDocumentsAuthorizerErrorsAlarm"]; got != 5 {
		t.Errorf("the threshold is %v", got)
	}
}

func TestContradictoryMonitoringIsRefused(t *testing.T) {
	const known = `the alarms are ["AuthorizerDenials" "AuthorizerErrors" "AuthorizerFaults" "AuthorizerInvalidTokens" "AuthorizerKeyFetchFailures" ` +
		`"AuthorizerThrottles" "ClaimsDuration" "ClaimsErrors" "ClaimsLookupFailures" "ClaimsThrottles"]`
	namespace := func(name string, monitoring *construct.Monitoring) func(*construct.TokenClaimsProps) {
		return func(p *construct.TokenClaimsProps) { p.MetricsNamespace, p.Monitoring = &name, monitoring }
	}
	with := func(m construct.Monitoring) func(*construct.TokenClaimsProps) {
		return func(p *construct.TokenClaimsProps) { p.Monitoring = &m }
	}
	for _, c := range []propsCase{
		{"unknown threshold", with(construct.Monitoring{Thresholds: map[construct.Alarm]float64{"Denials": 1}}), `props.Monitoring.Thresholds has "Denials": ` + known},
		{"unknown alarm", with(construct.Monitoring{WithoutAlarms: []construct.Alarm{"Denials"}}), `props.Monitoring.WithoutAlarms has "Denials": ` + known},
		{"threshold of an alarm that is left out", with(construct.Monitoring{
			Thresholds: map[construct.Alarm]float64{construct.AlarmClaimsErrors: 1}, WithoutAlarms: []construct.Alarm{construct.AlarmClaimsErrors},
		}), `props.Monitoring.Thresholds has "ClaimsErrors", which WithoutAlarms leaves out: take it out of one of them`},
		{"threshold that is always reached", with(construct.Monitoring{Thresholds: map[construct.Alarm]float64{construct.AlarmClaimsErrors: 0}}),
			`props.Monitoring.Thresholds["ClaimsErrors"] is 0, which is always reached: it is above 0, or leave the alarm out with WithoutAlarms`},
		{"no metrics", namespace("", nil), ""},
		{"no metrics to watch", namespace("", &construct.Monitoring{}), "props.MetricsNamespace is empty, but props.Monitoring watches the metrics in it: leave one of them out"},
		{"AWS's own namespace", namespace("AWS/Lambda", nil), `props.MetricsNamespace is "AWS/Lambda": CloudWatch takes none that begins with AWS/ or a colon`},
	} {
		t.Run(c.name, c.run)
	}
}

func TestLogLevelTracingAndNamespace(t *testing.T) {
	f := newFixture(t)
	namespace := "Documents"
	auth := f.claims(func(p *construct.TokenClaimsProps) {
		p.LogLevel, p.Tracing, p.MetricsNamespace = awslambda.ApplicationLogLevel_WARN, awslambda.Tracing_DISABLED, &namespace
	})
	if got := *auth.MetricAuthorizerKeyFetches("Documents", nil).Namespace(); got != namespace {
		t.Errorf("namespace %s", got)
	}
	auth.AddClient("Web", nil)
	f.api("Api", auth.HttpAuthorizer("Documents"), documentRoutes...)
	tpl := f.template()
	tpl.has("AWS::Lambda::Function", map[string]any{
		"LoggingConfig": map[string]any{"LogFormat": "JSON", "ApplicationLogLevel": "WARN"},
		"Environment":   map[string]any{"Variables": map[string]any{"CLAIMSMITH_METRICS_NAMESPACE": "Documents"}},
	})
	for id, function := range tpl.resources("AWS::Lambda::Function") {
		if function["Properties"].(map[string]any)["TracingConfig"] != nil {
			t.Errorf("%s is traced", id)
		}
	}

	f = newFixture(t)
	empty := ""
	auth = f.claims(func(p *construct.TokenClaimsProps) { p.MetricsNamespace = &empty })
	if text := panicText(func() { auth.MetricClaimsMints(construct.MintIssued, nil) }); text !=
		"construct: the functions write no metric Mints, since MetricsNamespace is empty: leave that out" {
		t.Errorf("got %q", text)
	}
	for id, function := range f.template().resources("AWS::Lambda::Function") {
		environment := function["Properties"].(map[string]any)["Environment"].(map[string]any)["Variables"].(map[string]any)
		if _, ok := environment["CLAIMSMITH_METRICS_NAMESPACE"]; ok {
			t.Errorf("%s writes metrics", id)
		}
	}
}

// row is a metric as docs/operations.md has it. That the functions write just these is held by the tests of
// lambda/internal/metrics.
type row struct {
	dimensions string
	methods    []string
}

func metricRows(t *testing.T) map[string]row {
	t.Helper()
	rows := map[string]row{}
	quoted := regexp.MustCompile("`(\\w+)`")
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (?:Count|Milliseconds) \\| ([^|]+) \\|[^|]+\\| ([^|]+) \\|$").
		FindAllStringSubmatch(document(t, "operations.md"), -1) {
		var methods []string
		for _, method := range quoted.FindAllStringSubmatch(m[3], -1) {
			methods = append(methods, method[1])
		}
		rows[m[1]] = row{strings.ReplaceAll(m[2], "`", ""), methods}
	}
	if len(rows) == 0 {
		t.Fatal("docs/operations.md has no metrics")
	}
	return rows
}

func TestMethodsGiveTheMetricsThatAreDocumented(t *testing.T) {
	f := newFixture(t)
	auth := reflect.ValueOf(f.claims(nil))
	got := map[string]row{}
	for _, method := range slices.Collect(reflect.TypeFor[construct.TokenClaims]().Methods()) {
		if !strings.HasPrefix(method.Name, "Metric") {
			continue
		}
		var args []reflect.Value
		for in := range method.Type.Ins() {
			arg := reflect.New(in).Elem()
			if in.Kind() == reflect.String {
				arg.SetString("Documents") // the authorizer, or some value of a dimension
			}
			args = append(args, arg)
		}
		metric := auth.MethodByName(method.Name).Call(args)[0].Interface().(awscloudwatch.Metric)
		statistic := "Sum"
		if strings.HasSuffix(*metric.MetricName(), "Duration") {
			statistic = "Average"
		}
		if *metric.Statistic() != statistic {
			t.Errorf("%s is the %s", method.Name, *metric.Statistic())
		}
		if *metric.Namespace() == "AWS/Lambda" {
			continue
		}
		r := got[*metric.MetricName()]
		r.dimensions = strings.Join(slices.Sorted(maps.Keys(*metric.Dimensions())), ", ")
		r.methods = append(r.methods, method.Name)
		got[*metric.MetricName()] = r
	}
	want := metricRows(t)
	for _, r := range want {
		slices.Sort(r.methods)
	}
	for _, r := range got {
		slices.Sort(r.methods)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("docs/operations.md has\n%v\nand the methods give\n%v", want, got)
	}
}

// A template's alarms and dashboard watch metrics that exist, and each alarm leads to its section of the runbook.
func TestAlarmsAndDashboardAreDocumented(t *testing.T) {
	f, _ := watched(t, &construct.Monitoring{})
	tpl := f.template()
	rows := metricRows(t)
	_, runbook, _ := strings.Cut(document(t, "operations.md"), "\n## What to do when an alarm goes off\n")
	runbook, _, _ = strings.Cut(runbook, "\n## ")
	var sections, alarms []string
	for _, heading := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(runbook, -1) {
		sections = append(sections, strings.ToLower(heading[1]))
	}
	watched := map[string]string{} // what is watched, by metric and dimensions
	for id, alarm := range tpl.resources("AWS::CloudWatch::Alarm") {
		properties := alarm["Properties"].(map[string]any)
		_, anchor, _ := strings.Cut(properties["AlarmDescription"].(string), "docs/operations.md#")
		alarms = append(alarms, anchor)
		var dimensions []string
		for _, d := range properties["Dimensions"].([]any) {
			dimensions = append(dimensions, d.(map[string]any)["Name"].(string))
		}
		if properties["Namespace"] == "Claimsmith" {
			watched[fmt.Sprint(properties["MetricName"], ": ", strings.Join(dimensions, ", "))] = id
		}
	}
	slices.Sort(sections)
	slices.Sort(alarms)
	if !slices.Equal(sections, alarms) {
		t.Errorf("docs/operations.md has sections on %q, the alarms lead to %q", sections, alarms)
	}

	properties, _ := tpl.only("AWS::CloudWatch::Dashboard")
	var body strings.Builder
	for _, part := range properties["DashboardBody"].(map[string]any)["Fn::Join"].([]any)[1].([]any) {
		if text, ok := part.(string); ok {
			body.WriteString(text)
		} else {
			body.WriteString("TOKEN")
		}
	}
	var dashboard struct {
		Widgets []struct {
			Properties struct {
				Title   string
				Metrics [][]any
			}
		}
	}
	if err := json.Unmarshal([]byte(body.String()), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, widget := range dashboard.Widgets {
		for _, metric := range widget.Properties.Metrics {
			search, _ := metric[0].(map[string]any)
			if expression, ok := search["expression"].(string); ok {
				m := regexp.MustCompile(`^SEARCH\('\{"Claimsmith",(\w+),(\w+)\} MetricName="(\w+)" FunctionName="TOKEN"', 'Sum', 300\)$`).FindStringSubmatch(expression)
				if m == nil {
					t.Fatalf("%s: %s", widget.Properties.Title, expression)
				}
				watched[m[3]+": "+m[1]+", "+m[2]] = widget.Properties.Title
			} else if metric[0] == "Claimsmith" {
				dimensions := []string{}
				for i := 2; i+1 < len(metric); i += 2 {
					dimensions = append(dimensions, metric[i].(string))
				}
				watched[fmt.Sprint(metric[1], ": ", strings.Join(dimensions, ", "))] = widget.Properties.Title
			}
		}
	}
	for metric, by := range watched {
		name, dimensions, _ := strings.Cut(metric, ": ")
		if rows[name].dimensions != dimensions {
			t.Errorf("%s watches %s, which is no metric of docs/operations.md", by, metric)
		}
	}
	if len(watched) < 6 {
		t.Errorf("only %v are watched", watched)
	}
}

// What the construct calls the outcomes is what the functions do.
func TestOutcomesAreDocumented(t *testing.T) {
	text := document(t, "operations.md")
	for _, outcomes := range []string{
		fmt.Sprintf("*%s*, *%s*, *%s* | `MetricClaimsMints`", construct.MintIssued, construct.MintRefused, construct.MintFault),
		fmt.Sprintf("*%s*, *%s*, *%s*, *%s* | `MetricAuthorizerDecisions`",
			construct.DecisionAllow, construct.DecisionDeny, construct.DecisionInvalidToken, construct.DecisionFault),
	} {
		if !strings.Contains(text, outcomes) {
			t.Errorf("docs/operations.md lacks %s", outcomes)
		}
	}
}
