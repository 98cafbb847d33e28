-- Lets mod_sasl2, mod_sasl2_bind2, mod_sasl2_sm and mod_sasl2_fast of Debian's prosody-modules run on Debian's Prosody 0.12, for
-- which they were not written. For test servers: it reaches into parts of Prosody that belong to others.
local datetime = require "util.datetime";
local filters = require "util.filters";
local sasl = require "util.sasl";
local st = require "util.stanza";
local stanza_methods = st.stanza_mt.__index;

local XMLNS_SM = "urn:xmpp:sm:3";
local XMLNS_STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas";

-- What a table lacks gets added, once for all hosts.
local function supply(target, name, value)
	if target[name] == nil then target[name] = value; end
end

-- Stanzas -----------------------------------------------------------------------------------------------------------------------

supply(stanza_methods, "get_child_attr", function (self, name, xmlns, attribute)
	local child = self:get_child(name, xmlns);
	return child and child.attr[attribute];
end);

supply(stanza_methods, "add_error", function (self, problem)
	local condition = problem.condition or "undefined-condition";
	return self:tag("error", { type = problem.type or "cancel" }):tag(condition, { xmlns = XMLNS_STANZAS }):up():up();
end);

-- The clock of tokens has fractions of seconds, which the text of a date cannot have.
if not datetime.takes_fractions then
	datetime.takes_fractions = true;
	local whole = datetime.datetime;
	datetime.datetime = function (time) return whole(time and math.floor(time)); end
end

-- Sessions and their connections ------------------------------------------------------------------------------------------------

local function socket_method(name)
	return function (self, ...)
		local socket = self:socket();
		local method = socket and socket[name];
		if method then return method(socket, ...); end
	end
end

-- Every session passes here when it begins: it notes the `from` of each header, and its connection gets what LuaSec offers.
local function prepare(session)
	if session.base_type ~= "c2s" then return; end
	session.stream_attrs = function (self, _, from) self.header_from = from; end
	local class = session.conn and getmetatable(session.conn);
	local methods = class and class.__index;
	if type(methods) ~= "table" then return; end
	supply(methods, "ssl_info", socket_method("info"));
	supply(methods, "ssl_peerfinished", socket_method("getpeerfinished"));
	supply(methods, "ssl_exportkeyingmaterial", socket_method("exportkeyingmaterial"));
end

filters.add_filter_hook(prepare);
function module.unload() filters.remove_filter_hook(prepare); end

module:hook("stream-features", function (event)
	event.stream = event.stream or { from = event.origin.header_from };
end, 500);

-- Channel binding: tls-exporter (RFC 9266) and tls-server-end-point (RFC 5929), and the list of XEP-0440 ------------------------

if not sasl.binds_more then
	sasl.binds_more = true;
	require "util.sasl.scram".init(function (name, backends, run, types)
		sasl.registerMechanism(name, backends, run, types and { "tls-unique", "tls-exporter", "tls-server-end-point" });
	end);
end

-- The certificate of these servers is signed with SHA-256.
local function certificate_hash(path)
	local file = path and io.open(path);
	if not file then return nil; end
	local pem = file:read("*a");
	file:close();
	return require "util.hashes".sha256((require "util.x509".pem2der(pem)));
end
local end_point = certificate_hash(module:get_option_string("sasl2_certificate"));

-- The types of a connection beside tls-unique, each with its data.
local function bindings_of(session)
	local found = {};
	local info = session.encrypted and session.conn:ssl_info();
	if not info then return found; end
	if info.protocol == "TLSv1.3" then
		found["tls-exporter"] = session.conn:ssl_exportkeyingmaterial("EXPORTER-Channel-Binding", 32, "");
	end
	found["tls-server-end-point"] = end_point;
	return found, info.protocol;
end

local function add_bindings(session)
	local handler = session.sasl_handler;
	if not handler or not handler.add_cb_handler then return; end
	for type, data in pairs((bindings_of(session))) do
		handler:add_cb_handler(type, function () return data; end);
	end
end

module:hook("advertise-sasl-features", function (event) add_bindings(event.origin); end, 50);
-- mod_saslauth has put a handler of its own in place since the features were written.
module:hook_tag("urn:xmpp:sasl:2", "authenticate", add_bindings, 150);

if module:get_option_boolean("sasl2_list_bindings", true) then
	module:hook("stream-features", function (event)
		local session = event.origin;
		if session.type ~= "c2s_unauthed" or not session.encrypted then return; end
		local types, version = bindings_of(session);
		local list = st.stanza("sasl-channel-binding", { xmlns = "urn:xmpp:sasl-cb:0" });
		if version ~= "TLSv1.3" then list:tag("channel-binding", { type = "tls-unique" }):up(); end
		for type in pairs(types) do list:tag("channel-binding", { type = type }):up(); end
		event.features:add_direct_child(list);
	end, -50);
end

-- Stream management that answers in place of sending ----------------------------------------------------------------------------

local smacks = module:depends("smacks");
local resumable = module:shared("/*/smacks/resumption-tokens");

-- What a handler of mod_smacks would have sent, in order, and the function that sends.
local function answers(session, handle, request)
	local list, send = {}, session.send;
	session.send = function (stanza) list[#list + 1] = stanza; return true; end
	handle(session, request, XMLNS_SM);
	return list, send;
end

local function refused(answer)
	local condition = answer.tags[1] and answer.tags[1].name;
	return nil, { type = "cancel"; condition = condition; context = { h = tonumber(answer.attr.h) } };
end

function smacks.do_enable(session, request)
	local list, send = answers(session, smacks.handle_enable, request);
	session.send = send;
	local answer = list[1];
	if answer.name ~= "enabled" then return refused(answer); end
	return { type = "enabled"; id = answer.attr.id; resume_max = answer.attr.max; finish = function () end };
end

function smacks.do_resume(session, request)
	local previd = request.attr.previd;
	local old = resumable[("%s@%s/%s"):format(session.username, session.host, previd)];
	local list, send = answers(session, smacks.handle_resume, request);
	local answer = list[1];
	if answer.name ~= "resumed" then
		session.send = send;
		return refused(answer);
	end
	-- The old session goes on with what the new one has; what is due follows behind <success/>.
	old.send, old.close, old.sasl_handler = send, session.close, session.sasl_handler;
	local function finish()
		old.resending_unacked = true;
		for at = 2, #list do old.send(list[at]); end
		old.resending_unacked = nil;
	end
	return { type = "resumed"; session = old; id = previd; finish = finish };
end
