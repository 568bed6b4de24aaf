//! The apigatewayv2 service.
