/**
 * What `Ref` and `Fn::GetAtt` of a resource type give on this machine: patterns in which `<name>` stands for the
 * resource's physical name.
 */
export interface ResourceAttributes {
  /** The property that holds the physical name; without it, or when it is absent, the logical id is the name. */
  nameProperty?: string;
  ref: string;
  attributes: Record<string, string>;
}

export const LOCAL_REGION = "us-east-1";
export const LOCAL_ACCOUNT = "000000000000";

/** The ARN a resource has on this machine, e.g. `localArn("sqs", "jobs")`. */
export function localArn(service: string, resource: string): string {
  return `arn:aws:${service}:${LOCAL_REGION}:${LOCAL_ACCOUNT}:${resource}`;
}

/** `Ref` and `Fn::GetAtt` per resource type. The urls are those of the running SQS and HTTP API, with no slash at the end. */
export function localAttributes(urls: { sqs: string; api: string }): Record<string, ResourceAttributes> {
  const name = "<name>";
  const queueUrl = `${urls.sqs}/${LOCAL_ACCOUNT}/${name}`;
  const secretArn = localArn("secretsmanager", `secret:${name}`);
  const machineArn = localArn("states", `stateMachine:${name}`);
  const topicArn = localArn("sns", name);
  return {
    "AWS::SQS::Queue": {
      nameProperty: "QueueName",
      ref: queueUrl,
      attributes: { Arn: localArn("sqs", name), QueueName: name, QueueUrl: queueUrl },
    },
    "AWS::Lambda::Function": {
      nameProperty: "FunctionName",
      ref: name,
      attributes: { Arn: localArn("lambda", `function:${name}`) },
    },
    "AWS::Lambda::EventSourceMapping": { ref: name, attributes: { Id: name } },
    "AWS::StepFunctions::StateMachine": {
      nameProperty: "StateMachineName",
      ref: machineArn,
      attributes: { Arn: machineArn, Name: name },
    },
    "AWS::DynamoDB::Table": {
      nameProperty: "TableName",
      ref: name,
      attributes: { Arn: localArn("dynamodb", `table/${name}`) },
    },
    "AWS::SecretsManager::Secret": { nameProperty: "Name", ref: secretArn, attributes: { Id: secretArn } },
    "AWS::Scheduler::Schedule": {
      nameProperty: "Name",
      ref: name,
      attributes: { Arn: localArn("scheduler", `schedule/default/${name}`) },
    },
    "AWS::Scheduler::ScheduleGroup": {
      nameProperty: "Name",
      ref: name,
      attributes: { Arn: localArn("scheduler", `schedule-group/${name}`) },
    },
    "AWS::ApiGatewayV2::Api": { ref: name, attributes: { ApiId: name, ApiEndpoint: urls.api } },
    "AWS::ApiGatewayV2::Integration": { ref: name, attributes: { IntegrationId: name } },
    "AWS::ApiGatewayV2::Route": { ref: name, attributes: { RouteId: name } },
    "AWS::ApiGatewayV2::Stage": { nameProperty: "StageName", ref: name, attributes: {} },
    "AWS::Logs::LogGroup": {
      nameProperty: "LogGroupName",
      ref: name,
      attributes: { Arn: localArn("logs", `log-group:${name}:*`) },
    },
    "AWS::IAM::Role": {
      nameProperty: "RoleName",
      ref: name,
      attributes: { Arn: `arn:aws:iam::${LOCAL_ACCOUNT}:role/${name}` },
    },
    "AWS::AppConfig::Application": { nameProperty: "Name", ref: name, attributes: { ApplicationId: name } },
    "AWS::AppConfig::Environment": { nameProperty: "Name", ref: name, attributes: { EnvironmentId: name } },
    "AWS::AppConfig::ConfigurationProfile": {
      nameProperty: "Name",
      ref: name,
      attributes: { ConfigurationProfileId: name },
    },
    "AWS::AppConfig::HostedConfigurationVersion": { ref: name, attributes: { VersionNumber: name } },
    "AWS::AppConfig::DeploymentStrategy": { nameProperty: "Name", ref: name, attributes: { Id: name } },
    "AWS::SNS::Topic": {
      nameProperty: "TopicName",
      ref: topicArn,
      attributes: { TopicArn: topicArn, TopicName: name },
    },
    "AWS::CloudWatch::Alarm": {
      nameProperty: "AlarmName",
      ref: name,
      attributes: { Arn: localArn("cloudwatch", `alarm:${name}`) },
    },
  };
}
