// The door by which the gateway is called, and a token for it.

import * as openid from "openid-client";
import { load, through } from "./identity.mjs";

const { gateway, user, key, x5c } = await load(process.env.KEPT);

export const { RECORD: record, DOOR: door = gateway } = process.env;

const config = await openid.discovery(
  new URL(gateway), user, undefined,
  openid.PrivateKeyJwt(key, { [openid.modifyAssertion]: (header) => Object.assign(header, { x5c }) }),
  { algorithm: "oauth2", [openid.customFetch]: through(gateway, door) },
);

export const authorization = { Authorization: `Bearer ${(await openid.clientCredentialsGrant(config)).access_token}` };
