"""`postroom init`: config.yaml and registration.yaml, the latter also again from the former."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from bridge.config.load import load_registration, write_private
from bridge.config.settings import ConfigError, Listener, Settings

CONFIG = """\
# Postroom's configuration. A key that is unknown or mistyped stops the start with its line.
# A secret is written as it is, or as {{env: NAME}} or {{file: /run/secrets/name}}.

homeserver:
  url: http://127.0.0.1:8008      # how the bridge reaches Synapse
  server_name: {server_name}      # the part of Matrix ids behind the colon
  room_version: "12"              # of the rooms the bridge makes: "11" or "12"
  encryption: tell                # where Synapse encrypts new rooms: tell, or avoid it

appservice:                       # where Synapse's pushes arrive
  host: 127.0.0.1
  port: 29330
  url: ""                         # how Synapse reaches us, if not http://host:port
  id: postroom
  prefix: email_                  # our users and aliases begin with it
  registration: registration.yaml # Synapse reads the same file

health:                           # GET /health answers here
  host: 127.0.0.1
  port: 29331

public_url: ""                    # like https://postroom.example.com; !original links there
public:                           # where those pages are served; put a proxy with TLS before it
  host: 127.0.0.1
  port: 29332

database: sqlite:postroom.db      # relative to this file

admins:                           # who may use the control room
  - "{admin}"

limits:
  mail_size: 52428800             # bytes; a larger mail stays in the mailbox and is announced
  upload_size: null               # bytes; null asks the homeserver
  rooms_per_sender: 30            # new conversations of one sender in an hour; more share a room
  rooms_per_inbox: 300            # new conversations of an inbox in an hour
  free_disk: 104857600            # bytes; with less on SQLite's disk mail waits in the mailbox

spool: spool                      # folder of what `postroom ingest` took; relative to this file

ingress:                          # mail that is brought to us; docs/ingress.md
  domain: ""                      # like in.example.com: !inbox forward makes addresses there
  smtp:                           # takes mail for them, and for inboxes without imap
    host: 127.0.0.1
    port: 0                       # 0: off
    cert_file: null               # for STARTTLS
    key_file: null
    proxies: []                   # IP addresses that speak the PROXY protocol, like of HAProxy
  lmtp:                           # the same for a mail server of yours
    host: 127.0.0.1
    port: 0
  password: ""                    # for Rails' addresses, user actionmailbox; empty: closed
  keys: {{}}                        # of mailgun, mandrill and ses at Rails' addresses
  others_to: ""                   # the inbox that takes what none owns; empty: refused

retention:                        # days; null keeps for ever
  raw_mail: null                  # the bytes of mails; what rooms show stays
  rooms: 30                       # closed conversations: agents and ghosts leave their rooms
  closed: null                    # closed conversations: redacted, deleted, their rooms emptied

# Seals the passwords that admins give in chat. A key in a file or the environment; without this
# line it is made in postroom.key beside this file. `postroom rekey` changes it.
encryption_key: ""                # {{file: postroom.key}} or {{env: NAME}}

webhook_secret: ""                # signs what rules tell other programs; {{env: NAME}}, {{file: …}}

name_servers: []                  # like 127.0.0.1 or 127.0.0.1:5353; empty: the system's

log_level: INFO                   # DEBUG, INFO, WARNING or ERROR
log_format: text                  # text, or json for a log collector
command_prefix: "!"               # commands begin with it

oauth:
  microsoft:                      # a client of yours at a provider; docs/oauth.md shows how
    kind: ""                      # google, microsoft or other; empty: as the section is named
    client_id: change-me
    client_secret: change-me
    secret_ends: null             # like 2027-01-31: warns 30, 7 and 1 days before
    tenant: common                # of Microsoft: your tenant's id or domain
    flow: code                    # how a mailbox logs in: code (a link), device, client, service
    service_account: ""           # of Google, for flow service: {{file: PATH}} of its JSON key
    issuer: ""                    # of others: its address, which tells the next three
    authorize_url: ""
    token_url: ""
    device_url: ""
    redirect: ""                  # where the browser comes back; empty: public_url/oauth/callback
    scopes: []                    # of others: what to ask for

inboxes:
  support:                        # a short name of your choice: a-z, 0-9, -
    name: Support                 # the space and the queue room are called so
    address: support@example.com  # mail is sent from it
    aliases: []                   # other addresses of ours that arrive here, never put into Cc
    agents: ["@alice:{server_name}"] # invited at start; an agent is who joined the queue room
    leads: []                     # agents with power level 50 in the queue room
    agents_invite: admins         # who else may invite agents: admins or leads
    federate: false               # true lets people of other homeservers in
    paused: false                 # true stops mail in and out
    direction: both               # inbound: nobody sends; outbound: no mail is read, only !compose
    default: true                 # of several inboxes on one account: takes mail that names none
    undo: 10                      # seconds during which a send can be taken back
    sender_name: "{{agent}} from {{inbox}}" # the name in From
    header: ""                    # above every mail; docs/templates.md: Markdown, or HTML
    greeting: ""                  # like Hello {{{{ contact.first_name or "there" }}}},
    signature: |                  # under every mail, like {{{{ agent.name }}}}
      Acme Support
    footer: ""                    # below everything, like an imprint
    card:                         # a contact card (.vcf) with the first answer to somebody
      name: Acme Support
      organization: Acme GmbH
      phone: "+49 30 123456"
      url: https://example.com
    reply_to: ""                  # where answers shall go, if not to address
    bcc: []                       # addresses that get a blind copy of every mail that leaves
    quote: false                  # true: a reply quotes the mail it answers
    approval: none                # whose ✅ mails need: none, four-eyes, leads (all but their own)
    assign: never                 # new conversations go to nobody, round-robin or least-busy
    answer_again_after: 24        # hours in which nobody gets a second automatic answer
    answers_in_10_minutes: 10     # automatic answers of rules that may leave in that time
    answers_in_hour: 30
    answers_in_day: 100
    spam: ignore                  # what your mail server calls spam: ignore, tell or mark it
    spam_headers: ["X-Spam-Flag: yes"] # how it says so; mail in a watched junk folder is spam, too
    time_zone: ""                 # like Europe/Berlin: invitations say the time there, too
    department: ""                # a label for lists and rules
    rules: []                     # what is done with mails; docs/rules.md shows how
    answer_within: 0              # hours a customer may wait before the team is reminded; 0: never
    attachments: 25000000         # bytes that the files of one mail may have together
    forwarders: []                # groups that put themselves into From; docs/ingress.md
    authserv_id: ""               # your mail server's name in Authentication-Results
    sent_elsewhere: show          # what is sent from other mail programs: show or ignore
    sent_copy: auto               # in Sent: auto (not at Gmail, Microsoft), always, never
    reply_tokens: auto            # Reply-To support+token@ once !inbox test saw +tags arrive; never
    on_unknown: ask               # no answer after DATA: ask in the room, or retry
    imap:
      host: imap.example.com
      port: 0                     # 0: 993 for implicit, else 143
      tls: implicit               # implicit, starttls or none
      plaintext_allowed: false    # tls: none beyond this machine needs true
      ca_file: null               # a PEM file, where the server's certificate is your own
      user: support@example.com
      password: change-me
      oauth: ""                   # a section of oauth in place of the password
      folders: [INBOX]
      poll: 120                   # seconds between checks besides IDLE
      mark_seen: false            # set the Seen flag once a mail is stored
      since: null                 # take mail from this date at first start; null: from now on
    smtp:
      host: smtp.example.com
      port: 0                     # 0: 465 for implicit, 587 for starttls, 25 for none
      tls: implicit
      plaintext_allowed: false
      ca_file: null
      auth: password              # none: a local relay without log-in
      user: support@example.com
      password: change-me
      oauth: ""
    http:                         # mail that is posted to us; docs/ingress.md
      kind: relay                 # relay, mailgun, mandrill, postmark, sendgrid or ses
      key: ""                     # what proves that a post is theirs
"""

REGISTRATION = """\
# Postroom's registration: name this file in Synapse's homeserver.yaml under
# app_service_config_files and restart Synapse. Keep it secret: whoever reads it is the bridge.
id: {id}
url: {url}
as_token: {as_token}
hs_token: {hs_token}
# An idle name: the bot that people see is @{prefix}bot, an ordinary user of the namespace,
# because /sync is refused to the sender.
sender_localpart: {prefix}sender
rate_limited: false
# Devices of our users, which need no log-in (MSC4190): some homeservers want it said
io.element.msc4190: true
# Stable name and the one of older Synapses, for read receipts
receive_ephemeral: true
de.sorunome.msc2409.push_ephemeral: true
namespaces:
  users:
    - exclusive: true
      regex: '@{prefix}.*:{domain}'
  aliases:
    - exclusive: true
      regex: '#{prefix}.*:{domain}'
  rooms: []
"""

NEXT = """\
Wrote {config} and {registration}.
1. In Synapse's homeserver.yaml:
     app_service_config_files:
       - {registration}
   and restart Synapse. Agents type fast: raise rc_message and rc_joins there, too.
2. Fill in the inbox at the end of {config}.
3. postroom check -c {config}
4. postroom run -c {config}
"""


AGAIN = """\
Wrote {registration}: url {url}, users @{prefix}…
Give Synapse this file and restart it, then start Postroom and run: postroom check
"""


def config_text(server_name: str, admin: str, *, example: bool) -> str:
    """Text of config.yaml; the provider and the inbox are active in the example and commented out
    in a new file."""
    text = CONFIG.format(server_name=server_name, admin=admin)
    if example:
        return text
    head, mark, rest = text.partition("oauth:\n")
    oauth, also, inbox = rest.partition("\ninboxes:\n")
    for title, lines in ((mark, oauth), (f"\n{also.strip()}", inbox)):
        commented = "".join(f"#{line}\n" for line in lines.splitlines())
        head += f"{title.rstrip()} {{}}  # remove the braces and the # below\n{commented}"
    return head


def registration_text(
    server_name: str, listener: Listener, *, as_token: str = "", hs_token: str = ""
) -> str:
    """Text of registration.yaml, with fresh tokens if none are given."""
    return REGISTRATION.format(
        id=listener.id,
        url=listener.reached_at,
        as_token=as_token or secrets.token_hex(32),
        hs_token=hs_token or secrets.token_hex(32),
        prefix=listener.prefix,
        domain=re.escape(server_name),
    )


def write_registration(settings: Settings) -> str:
    """Write the registration again, after url, prefix, id or server name changed in config.yaml.

    Keeps its tokens, or makes new ones where there is no file. Returns the next steps for the
    admin. Raises ConfigError for a file that is no registration.
    """
    path, listener = settings.appservice.registration, settings.appservice
    as_token = hs_token = ""
    if path.exists():
        known = load_registration(settings)
        as_token = known.as_token.get_secret_value()
        hs_token = known.hs_token.get_secret_value()
    text = registration_text(
        settings.homeserver.server_name, listener, as_token=as_token, hs_token=hs_token
    )
    if path.exists() and path.read_text() == text:
        return f"{path} fits config.yaml already."
    write_private(path, text)
    return AGAIN.format(
        registration=path.resolve(), url=listener.reached_at, prefix=listener.prefix
    )


def init(folder: Path, server_name: str, admin: str) -> str:
    """Write both files, readable by their owner only; returns the next steps for the admin. Raises
    ConfigError if one of the files exists already."""
    config, registration = folder / "config.yaml", folder / "registration.yaml"
    for path in (config, registration):
        if path.exists():
            raise ConfigError(f"{path} is there already; move it away to begin anew")
    folder.mkdir(parents=True, exist_ok=True)
    admin = admin or f"@admin:{server_name}"
    write_private(config, config_text(server_name, admin, example=False))
    write_private(registration, registration_text(server_name, Listener()))
    return NEXT.format(config=config.resolve(), registration=registration.resolve())
