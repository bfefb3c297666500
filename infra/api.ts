import { Duration } from "aws-cdk-lib";
import { CfnStage, CorsHttpMethod, HttpApi, HttpMethod } from "aws-cdk-lib/aws-apigatewayv2";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { physicalName } from "../lambdas/core/names.ts";
import { mapRecord } from "../lambdas/core/record.ts";
import { type RouteRecord, zones } from "../registry/routes.ts";
import type { Alarms } from "./alarms.ts";
import { type StationContext, StationFunction } from "./station-function.ts";

/** The HTTP API: every registry path as an explicit route to its zone's function; `$default` goes to the webhooks'. */
export class Api extends Construct {
  readonly http: HttpApi;
  /** Functions by zone. */
  readonly zones: Record<RouteRecord["zone"], StationFunction>;

  constructor(scope: Construct, id: string, { context, alarms }: { context: StationContext; alarms: Alarms }) {
    super(scope, id);
    const { station, stage } = context;
    this.zones = mapRecord(zones, (limits, zone) =>
      new StationFunction(this, `${zone}-zone`, `${zone}-routes`, { context, ...limits }).usesTable().readsSecret(),
    );
    this.http = new HttpApi(this, "http", {
      apiName: physicalName(stage, "station"),
      createDefaultStage: true,
      defaultIntegration: new HttpLambdaIntegration("default", this.zones.webhooks.lambda),
      corsPreflight: {
        allowOrigins: station.config.allowedOrigins,
        allowMethods: [CorsHttpMethod.GET, CorsHttpMethod.POST, CorsHttpMethod.HEAD],
        allowHeaders: ["authorization", "content-type", "idempotency-key", "x-captcha-token", "x-correlation-id"],
        exposeHeaders: ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after", "x-correlation-id"],
        maxAge: Duration.hours(1),
      },
    });
    for (const [name, route] of Object.entries(station.routes)) {
      if (route.path === "$default") continue;
      this.http.addRoutes({
        path: route.path,
        methods: route.methods.map((method) => HttpMethod[method]),
        integration: new HttpLambdaIntegration(name, this.zones[route.zone].lambda),
      });
    }
    this.#logAccess(context);
    // A single one is mended by the caller's own retry.
    alarms.at(
      "api-errors",
      this.http.metricServerError({ statistic: "Sum" }),
      { threshold: 5, periods: 1 },
      "Callers get errors: what they sent was not accepted, and is lost unless they try again.",
    );
  }

  #logAccess({ station, stage }: StationContext): void {
    const logs = new LogGroup(this, "access-logs", {
      logGroupName: `/flux-station/${stage}/api`,
      retention: station.config.logs?.retentionDays ?? 30,
    });
    const defaultStage = this.http.defaultStage?.node.defaultChild;
    if (!(defaultStage instanceof CfnStage)) throw new Error("The HTTP API has no default stage to log access of.");
    // No query string: an unsubscribe link's token is a credential.
    const fields = ["requestId", "httpMethod", "routeKey", "status", "responseLatency", "integrationErrorMessage"];
    defaultStage.accessLogSettings = {
      destinationArn: logs.logGroupArn,
      format: JSON.stringify(Object.fromEntries(fields.map((field) => [field, `$context.${field}`]))),
    };
  }
}
