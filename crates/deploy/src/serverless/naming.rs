//! The Serverless Framework's logical ids. Templates refer to them (`!Ref
//! CreateOrderLambdaFunction`), so they are the same letter for letter.

/// `create-order` → `CreateDashorder`
pub(super) fn function(name: &str) -> String {
    upper_first(&name.replace('-', "Dash").replace('_', "Underscore"))
}

/// `my.topic-name` → `Mytopicname`
pub(super) fn resource(name: &str) -> String {
    let kept: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    upper_first(&kept)
}

pub(super) fn lambda(function_name: &str) -> String {
    format!("{}LambdaFunction", function(function_name))
}

pub(super) fn alias(function_name: &str) -> String {
    format!("{}ProvConcLambdaAlias", function(function_name))
}

/// The framework's has a hash of the code at its end, so nobody can refer to it by its name.
pub(super) fn version(function_name: &str) -> String {
    format!("{}LambdaVersion", function(function_name))
}

pub(super) fn url(function_name: &str) -> String {
    format!("{}LambdaFunctionUrl", function(function_name))
}

pub(super) fn layer(layer_name: &str) -> String {
    format!("{}LambdaLayer", function(layer_name))
}

pub(super) fn log_group(function_name: &str) -> String {
    format!("{}LogGroup", function(function_name))
}

pub(super) fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

pub(super) const HTTP_API: &str = "HttpApi";
pub(super) const REST_API: &str = "ApiGatewayRestApi";
pub(super) const REST_DEPLOYMENT: &str = "ApiGatewayDeployment";
pub(super) const ROLE: &str = "IamRoleLambdaExecution";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_framework() {
        assert_eq!(lambda("create-order_v2"), "CreateDashorderUnderscorev2LambdaFunction");
        assert_eq!(resource("shop-dev-orders.fifo"), "Shopdevordersfifo");
        assert_eq!(log_group("pay"), "PayLogGroup");
    }
}
