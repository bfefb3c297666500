/** Resource types with nothing to run on this machine, each with the reason. */
export const ignoredTypes: Record<string, string> = {
  "AWS::AppConfig::DeploymentStrategy": "whatever is deployed is there at once",
  "AWS::CDK::Metadata": "usage data for the CDK team",
  "AWS::CloudWatch::Alarm": "no metrics are evaluated here; the numbers alarms watch are in the station's own report",
  "AWS::CloudWatch::Dashboard": "a view of CloudWatch, which is not here",
  "AWS::IAM::Policy": "no permissions are checked here; the infra tests check what is granted",
  "AWS::IAM::Role": "no permissions are checked here; the infra tests check what is granted",
  "AWS::Lambda::Permission": "no permissions are checked here; the infra tests check what is granted",
  "AWS::SNS::Subscription": "only alarms publish to topics, and there are none here",
  "AWS::SNS::TopicPolicy": "only alarms publish to topics, and there are none here",
  "AWS::SNS::Topic": "only alarms publish to topics, and there are none here",
  "AWS::SQS::QueuePolicy": "no permissions are checked here; the infra tests check what is granted",
};
