# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads an OPC UA server: one subscription to the chosen variables.

The server is requested to send every value with a new source time, even if it equals the last, so that rows are
complete. It may revise the requested intervals and queues; a warning then states the consequence with its numbers.
"""

import asyncio
import math
import re
from collections.abc import Sequence

from asyncua import ua
from asyncua.common.ua_utils import copy_dataclass_attr
from asyncua.ua import uaerrors

from freecad_camtwin.connectors.opcua.nodes import OURS, SIMULATED, Browser, Variable, item_of, node_of
from freecad_camtwin.connectors.opcua.transport import NONSENSE, BoundedClient
from freecad_camtwin.connectors.opcua.trust import introduce
from freecad_camtwin.connectors.opcua.values import Gatherer
from freecad_camtwin.connectors.protocol import Options, Told
from freecad_camtwin.connectors.retry import LostError, patiently, sessions
from freecad_camtwin.errors import ConnectorError
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import Observations

#: Values of each variable that the server is requested to keep while the network is slow.
QUEUE = 5000
#: Messages that wait for the reader; beyond that nothing is requested, and the server keeps values in its queues.
_MOST_WAITING = 16
#: Assumed interval of changes if a server names no sampling interval and so sends every change [ms].
_FASTEST = 1.0
_PER_REQUEST = 500
#: The name of an element of an array; some servers have such nodes, others have only the array.
_ELEMENT = re.compile(r"(.+)\[\d+\]", re.S)
_REFUSALS = (
    uaerrors.BadUserAccessDenied, uaerrors.BadIdentityTokenRejected, uaerrors.BadIdentityTokenInvalid,
    uaerrors.BadUserSignatureInvalid,
)  # fmt: skip
_DISTRUST = (
    uaerrors.BadSecurityChecksFailed, uaerrors.BadCertificateUntrusted, uaerrors.BadCertificateInvalid,
    uaerrors.BadCertificateTimeInvalid, uaerrors.BadCertificateUseNotAllowed, uaerrors.BadCertificateUriInvalid,
    uaerrors.BadCertificateRevoked, uaerrors.BadCertificateChainIncomplete, uaerrors.BadSecurityPolicyRejected,
)  # fmt: skip
_NO_FILTER = {"BadMonitoredItemFilterUnsupported", "BadFilterNotAllowed", "BadMonitoredItemFilterInvalid"}
_HIDDEN = {"BadUserAccessDenied", "BadNotReadable"}


class OpcuaClient:
    """A server at an address such as opc.tcp://mill:4840, and the chosen variables."""

    def __init__(self, url: str, nodes: Sequence[str], machine: str | None, options: Options) -> None:
        """``nodes``: names; if empty, all variables of the machine tool ``machine``, or of the only one are read."""
        self.told = Told()
        self._url, self._machine, self._options = url, machine, options
        self._nodes = tuple(nodes) or options.items
        self._name = f"the server {url.removeprefix('opc.tcp://')}"
        self._has_worked = False
        self._namespaces: list[str] = []

    def observations(self) -> Observations:
        """Yield the observations of the variables; see ``protocol.Connector``."""
        return sessions(self._session, self.told, patience=self._options.patience)

    async def offered(self) -> tuple[Item, ...]:
        """Return the variables with their units. ConnectorError if the server cannot be read."""
        return await patiently(self._offer, self.told, patience=self._options.patience)

    async def _offer(self) -> tuple[Item, ...]:
        client = self._client()
        try:
            browser = await self._enter(client)
            variables = await self._chosen(browser)
            units = await browser.units(variables)
        except NONSENSE as error:
            raise LostError(self._sentence(error)) from error
        finally:
            await client.leave()
        return tuple(item_of(each, unit) for each, unit in zip(variables, units, strict=True))

    async def _session(self) -> Observations:
        client = self._client()
        inbox: asyncio.Queue[ua.PublishResult] = asyncio.Queue(_MOST_WAITING)
        try:
            try:
                browser = await self._enter(client)
                gatherer = await self._subscribe(client, await self._chosen(browser), inbox)
            except NONSENSE as error:
                raise LostError(self._sentence(error)) from error
            self._has_worked = True
            while True:
                try:
                    async with asyncio.timeout(self._options.quiet):
                        result = await inbox.get()
                except TimeoutError:
                    raise LostError(f"{self._name} was silent for {self._options.quiet:g} s") from None
                self._check_alive(result.NotificationMessage)
                for observation in gatherer.take(result.NotificationMessage, more=bool(result.MoreNotifications)):
                    yield observation
        finally:
            await client.leave()

    def _client(self) -> BoundedClient:
        return BoundedClient(self._url, quiet=self._options.quiet, most_bytes=self._options.most_bytes)

    async def _enter(self, client: BoundedClient) -> Browser:
        """Connect and log in. ConnectorError if another attempt would fail too."""
        try:
            await introduce(client, self._options, self._name, self.told)
            await client.connect()
            namespaces = await client.get_namespace_array()
        except _REFUSALS as error:
            raise ConnectorError(
                f"{self._name} refuses us ({type(error).__name__}); give a user and a password that it accepts"
            ) from error
        except _DISTRUST as error:
            raise ConnectorError(
                f"{self._name} does not trust our certificate ({type(error).__name__}); accept it on the server"
            ) from error
        browser = Browser(client.uaclient.session, namespaces)
        if OURS in namespaces:
            said = await client.get_node(ua.NodeId(SIMULATED, namespaces.index(OURS))).read_value()
            self.told.simulated |= said is True
        self._namespaces = namespaces
        return browser

    async def _chosen(self, browser: Browser) -> list[Variable]:
        """Return the chosen variables."""
        if self._nodes:
            return await self._named(browser)
        found = await browser.variables(await self._root(browser))
        if browser.is_cut_short:
            self.told.warn(f"{self._name} has more variables than the {len(found)} that are read; name those you want")
        if not found:
            raise self._missing("a variable that we may read", "name those you want by ?nodes=")
        return found

    async def _named(self, browser: Browser) -> list[Variable]:
        """Return the nodes that the user has named; the name of an element may stand for its whole array."""
        found: dict[str, ua.NodeId] = {}
        for name in self._nodes:
            node = node_of(name, self._namespaces)
            if node is None:
                raise self._missing(name, "that namespace is unknown to it")
            found[name] = node
        kinds = await browser.read(list(found.values()), ua.AttributeIds.NodeClass)
        chosen: dict[str, Variable] = {}
        for (name, node), kind in zip(found.items(), kinds, strict=True):
            array = None if kind.StatusCode.is_good() else _ELEMENT.fullmatch(name)
            whole = node_of(array[1], self._namespaces) if array else None
            name, node = (array[1], whole) if array and whole else (name, node)
            chosen[name] = Variable(node, name)
        # Some servers accept subscriptions to variables that we may not read, and then send no value.
        values = await browser.read([each.node for each in chosen.values()], ua.AttributeIds.Value)
        for name, value in zip(chosen, values, strict=True):
            if value.StatusCode is not None and value.StatusCode.name in _HIDDEN:
                raise self._hidden(name)
        return list(chosen.values())

    async def _root(self, browser: Browser) -> ua.NodeId:
        """Return the chosen machine tool; the folder of all objects if the server has no machine tool."""
        tools = await browser.machine_tools()
        names = ", ".join(sorted(tools))
        if self._machine is not None and self._machine not in tools:
            raise self._missing(f"the machine tool {self._machine!r}", f"it has {names or 'none'}")
        if self._machine is None and len(tools) > 1:
            raise ConnectorError(f"{self._name} has the machine tools {names}; say which by ?machine=NAME")
        if not tools:
            self.told.warn(f"{self._name} has no machine tool of OPC 40501; all variables of its objects are read")
        return tools.get(self._machine or names, ua.NodeId(ua.ObjectIds.ObjectsFolder))

    def _hidden(self, name: str) -> ConnectorError:
        return ConnectorError(f"{self._name} does not let us read {name}; ask for a user that may")

    def _missing(self, what: str, why: str) -> Exception:
        """Return the error for a missing node: final, but a LostError if an earlier session had the node.

        In that case the server was restarted and may not have filled its address space yet.
        """
        sentence = f"{self._name} does not have {what}; {why}"
        return LostError(sentence) if self._has_worked else ConnectorError(sentence)

    async def _subscribe(
        self, client: BoundedClient, variables: Sequence[Variable], inbox: asyncio.Queue[ua.PublishResult]
    ) -> Gatherer:
        session = client.uaclient.session
        interval = 1000 * max(self._options.interval, 1e-3)
        revised = await session.create_subscription(self._asked(interval), inbox.put)
        pace = revised.RevisedPublishingInterval
        if pace > interval * 1.001:
            self.told.warn(f"{self._name} sends every {pace:g} ms, not every {interval:g} ms")
            # Keep-alive and lifetime are counted in publishing intervals: request them again for the revised interval.
            again = ua.ModifySubscriptionParameters(SubscriptionId=revised.SubscriptionId)
            copy_dataclass_attr(self._asked(pace), again)
            await session.update_subscription(again)
        wanted = [(handle, each) for handle, each in enumerate(variables)]
        for sends_unchanged in (True, False):
            refused = []
            for at in range(0, len(wanted), _PER_REQUEST):
                some = wanted[at : at + _PER_REQUEST]
                requests = [_request(handle, each.node, pace, sends_unchanged) for handle, each in some]
                results = await session.create_monitored_items(
                    ua.CreateMonitoredItemsParameters(
                        SubscriptionId=revised.SubscriptionId,
                        TimestampsToReturn=ua.TimestampsToReturn.Both,
                        ItemsToCreate=requests,
                    )
                )
                refused += [pair for pair, each in zip(some, results, strict=True) if self._is_refused(pair[1], each)]
                self._check_revised([each for each in results if each.StatusCode.is_good()], pace, interval)
            wanted = refused
            if not wanted:
                break
            self.told.warn(f"{self._name} does not send unchanged values: they are assumed to stay the same")
        return Gatherer([each.name for each in variables], self._options.words, self.told)

    def _asked(self, interval: float) -> ua.CreateSubscriptionParameters:
        """Return the parameters of a subscription with a publishing interval [ms]."""
        quiet = 1000 * self._options.quiet / interval
        return ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=interval,
            RequestedMaxKeepAliveCount=max(round(quiet / 3), 1),
            RequestedLifetimeCount=max(round(3 * quiet), 10),
            MaxNotificationsPerPublish=0,
            PublishingEnabled=True,
        )

    def _is_refused(self, variable: Variable, result: ua.MonitoredItemCreateResult) -> bool:
        """Whether a variable must be requested again without a filter; ConnectorError if it cannot be read at all."""
        status = result.StatusCode
        if status.is_good():
            return False
        if status.name in _NO_FILTER:
            return True
        if variable.path:  # the user has not named it
            self.told.warn(f"{self._name} does not send {variable.name} ({status.name})")
            return False
        if status.name in _HIDDEN:
            raise self._hidden(variable.name)
        raise self._missing(variable.name, f"it answers {status.name}")

    def _check_revised(self, results: Sequence[ua.MonitoredItemCreateResult], pace: float, interval: float) -> None:
        if not results:
            return
        sampling = max(each.RevisedSamplingInterval for each in results)
        queue = min(each.RevisedQueueSize for each in results)
        if sampling > interval * 1.001:
            self.told.warn(
                f"{self._name} samples variables only every {sampling:g} ms, not every {interval:g} ms; "
                "values in between are not recorded"
            )
        needed = math.ceil(pace / max(sampling, _FASTEST))
        if queue < needed:
            self.told.warn(
                f"{self._name} keeps {queue} values of a variable and may have {needed} before it sends them; "
                "some may be lost"
            )

    def _check_alive(self, message: ua.NotificationMessage) -> None:
        """Raise LostError if the server, or asyncua's watchdog, has ended the subscription."""
        for part in message.NotificationData or ():
            if isinstance(part, ua.StatusChangeNotification) and part.Status.is_bad():
                raise LostError(f"{self._name} was lost ({part.Status.name})")

    def _sentence(self, error: BaseException) -> str:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = reason if isinstance(error, OSError | ua.UaError) else f"its answer is invalid ({reason})"
        return f"{self._name} cannot be reached: {reason or type(error).__name__}"


def _request(handle: int, node: ua.NodeId, pace: float, sends_unchanged: bool) -> ua.MonitoredItemCreateRequest:
    parameters = ua.MonitoringParameters(
        ClientHandle=handle,
        SamplingInterval=0.0,  # as fast as the server can
        QueueSize=max(QUEUE, math.ceil(10 * pace / _FASTEST)),
        DiscardOldest=True,
    )
    if sends_unchanged:
        parameters.Filter = ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp)
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=parameters,
    )
