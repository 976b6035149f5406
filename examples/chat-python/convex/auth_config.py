"""Whom the deployment believes: the variables AUTH_ISSUER and AUTH_JWKS name the issuer and its keys."""

from parabola import env

auth_config = {
    "providers": [
        {
            "type": "customJwt",
            "issuer": env["AUTH_ISSUER"],
            "jwks": env["AUTH_JWKS"],
            "algorithm": "RS256",
            "applicationID": "chat",
        }
    ]
}
