// OAuth libraries of other people get tokens: they are told where the gateway is, who asks,
// and with which key and certificate, and know nothing else of PIE.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { load } from "./identity.mjs";

const { gateway, user, key, x5c } = await load(process.env.KEPT);
const client = { client_id: user };

const withCertificate = (header) => Object.assign(header, { x5c });
const byCertificate = (library, change = () => {}) =>
  library.PrivateKeyJwt(key, {
    [library.modifyAssertion]: (header, claims) => {
      withCertificate(header);
      change(header, claims);
    },
  });

async function discovered() {
  const issuer = new URL(gateway);
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2" }));
  return { ...server, issuer: server.issuer };
}

const ask = async (authentication, parameters = {}) => {
  const server = await discovered();
  return oauth.processClientCredentialsResponse(server, client, await oauth.clientCredentialsGrantRequest(server, client, authentication, parameters));
};

async function reads(token) {
  const answer = await fetch(`${gateway}/v1/organizations`, { headers: { Authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200);
}

test("oauth4webapi gets a token", async () => {
  const { access_token, expires_in, token_type } = await ask(byCertificate(oauth));
  assert.equal(token_type, "bearer");
  assert.ok(expires_in > 0);
  await reads(access_token);
});

test("openid-client gets a token", async () => {
  const config = await openid.discovery(new URL(gateway), user, undefined, byCertificate(openid), { algorithm: "oauth2" });
  await reads((await openid.clientCredentialsGrant(config)).access_token);
});

test("a client of SMART Backend Services gets a token", async () => {
  const { token_endpoint } = await (await fetch(`${gateway}/.well-known/smart-configuration`)).json();
  const smart = byCertificate(oauth, (header, claims) => {
    Object.assign(header, { typ: "JWT", kid: "device-1" });
    Object.assign(claims, { aud: token_endpoint, exp: Date.now() / 1000 + 299.5 });
    delete claims.iat;
    delete claims.nbf;
  });
  const { access_token, scope } = await ask(smart, { scope: "system/*.rs" });
  assert.equal(scope, "registered");
  await reads(access_token);
});

const refused = async (name, description, authentication, parameters) => {
  await assert.rejects(ask(authentication, parameters), (error) => {
    assert.ok(error instanceof oauth.ResponseBodyError, String(error));
    assert.equal(error.error, name);
    assert.match(error.error_description, description);
    return true;
  });
};

test("the libraries read why they get none", async () => {
  await refused("invalid_client", /x5c/, oauth.PrivateKeyJwt(key));
  await refused("invalid_client", new RegExp(`${gateway}/oauth2/token`), byCertificate(oauth, (_, claims) => (claims.aud += "/")));
  await refused("invalid_client", /begins in 1[78]\d s; the gateway's clock says 20/, byCertificate(oauth, (_, claims) => {
    for (const time of ["iat", "nbf", "exp"]) claims[time] += 180;
  }));
  await refused("invalid_scope", /replacement/, byCertificate(oauth), { scope: "offline_access" });
});
