// SPDX-License-Identifier: LGPL-2.1-or-later
// node-opcua's client for tests: client.js SETTINGS. Says {"began": true} once it listens to the named variables,
// and for a line of its input what it heard of them, what it may write, and the unit of the first.
"use strict";
const opcua = require("node-opcua");
const fs = require("fs");
const readline = require("readline");

const settings = JSON.parse(process.argv[2]);
const say = (said) => process.stdout.write(JSON.stringify(said) + "\n");

async function main() {
  const manager = new opcua.OPCUACertificateManager({ rootFolder: settings.folder });
  await manager.initialize();
  const text = fs.readFileSync(settings.trusted, "latin1").replace(/-----[^-]+-----|\s/g, "");
  await manager.trustCertificate(Buffer.from(text, "base64"));
  const client = opcua.OPCUAClient.create({
    applicationUri: "urn:test:recorder",
    certificateFile: settings.certificate,
    privateKeyFile: settings.key,
    clientCertificateManager: manager,
    securityMode: opcua.MessageSecurityMode.SignAndEncrypt,
    securityPolicy: opcua.SecurityPolicy[settings.policy],
    connectionStrategy: { maxRetry: 0 },
    endpointMustExist: false,
  });
  await client.connect(settings.url);
  const user = { type: opcua.UserTokenType.UserName, userName: "setter", password: "secret" };
  const session = await client.createSession(user);
  const namespaces = await session.readNamespaceArray();
  const nodes = settings.names.map((name) => `ns=${namespaces.indexOf("urn:freecad-camtwin:machine")};s=${name}`);

  const heard = nodes.map(() => []);
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 10,
    requestedLifetimeCount: 1000,
    requestedMaxKeepAliveCount: 100,
    maxNotificationsPerPublish: 0,
    publishingEnabled: true,
    priority: 1,
  });
  for (const [at, nodeId] of nodes.entries()) {
    const item = await subscription.monitor(
      { nodeId, attributeId: opcua.AttributeIds.Value },
      { samplingInterval: 0, queueSize: 5000, discardOldest: true },
      opcua.TimestampsToReturn.Both
    );
    item.on("changed", (value) => {
      if (value.statusCode.isGood()) heard[at].push([value.sourceTimestamp.getTime(), value.value.value]);
    });
  }
  say({ began: true });

  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { count } = JSON.parse(line);
    while (heard.some((values) => values.length < count)) {
      await new Promise((done) => setTimeout(done, 10));
    }
    const value = { dataType: "Double", value: 70 };
    const writes = settings.writes.map((name) => ({
      nodeId: nodes[settings.names.indexOf(name)],
      attributeId: opcua.AttributeIds.Value,
      value: { value },
    }));
    const answers = (await session.write(writes)).map((answer) => answer.name);
    const path = opcua.makeBrowsePath(nodes[0], ".0:EngineeringUnits");
    const { targets } = await session.translateBrowsePath(path);
    const unit = await session.read({ nodeId: targets[0].targetId, attributeId: opcua.AttributeIds.Value });
    say({ heard, answers, unit: unit.value.value.displayName.text });
  }
  await client.disconnect();
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
