"""The mutants: which threat's tests must notice, what is changed, and where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """In the function, method or constant `symbol`, wherever it stands, `old` becomes `new`."""

    threat: str
    symbol: str
    old: str
    new: str


NO_CODE = {"T03", "T17", "T43"}
"""Threats that are met by what is not there: nothing passes mails on, unpacks archives, decodes
pictures of mails, or reads such headers."""

MUTANTS = (
    Mutant("T01", "took_part", "if sender.key in participants:", "if True:"),
    Mutant("T01", "took_part", "sender.domain not in known.our_domains and any(", "any("),
    Mutant("T01", "_is_proven", "copy is not None and body_hash(copy) == mail.body_hash", "copy is not None"),
    Mutant("T01", "_is_echo", "and await _is_sent(tx, inbox, own_id, mail)", ""),
    Mutant("T01", "unwrapped", " and mail.is_original_signed", ""),
    Mutant("T02", "took_part", "if sender.key in participants:", "if True:"),
    Mutant("T04", "address", "and other.key not in known:", "and False:"),
    Mutant("T05", "_whom", "is_plain = passed and (", "is_plain = ("),
    Mutant("T06", "_items", "in_angle, has_angle, angle = True, True, []", "in_angle, has_angle = True, True"),
    Mutant("T06", "_spec", "if is_domain(meant)", "if True"),
    Mutant("T07", "verdict", "words[0].strip('\"').lower() != authserv_id.lower()", "False"),
    Mutant("T08", "resembles", "skeleton(each) == seen", "each == name"),
    Mutant("T09", "ghost_localpart", "[a-z0-9._/-]", "[a-z0-9._/=-]"),
    Mutant("T10", "_Writer._one", "or tag in SKIPPED", ""),
    Mutant("T11", "read", "mail = parse(raw, authserv_id, own)",
           "__import__('socket').getaddrinfo('track.example', 80); mail = parse(raw, authserv_id, own)"),
    Mutant("T12", "_Writer._link", 'shown = "" if not self._show_hosts else other_host(href, content)', 'shown = ""'),
    Mutant("T13", "Media.is_open_to_all", "response.status == 200", "False"),
    Mutant("T14", "safe_type", 'return "application/octet-stream"', "return type"),
    Mutant("T15", "clean_name", 're.split(r"[/\\\\]", name)[-1]', "name"),
    Mutant("T16", "limit", "resource.setrlimit(kind, (value, value))", "pass"),
    Mutant("T18", "_split_text", "if len(text) > MAX_INPUT:", "if [x for x in text if text[:4000].count(x) < 0]:"),
    Mutant("T19", "NO_CHARSETS", '"unicode-escape", ', ""),
    Mutant("T20", "_headers", "_no_word(clean_line(mail.subject, 900))", "mail.subject"),
    Mutant("T21", "END", 'b"\\r\\n.\\r\\n"', 'b"\\n.\\r\\n"'),
    Mutant("T22", "POLICY", "SMTP.clone(", 'SMTP.clone(linesep="\\n", '),
    Mutant("T23", "_check_and_run", "if not await tx.rooms.is_agent(inbox.id, event.sender):", "if False:"),
    Mutant("T24", "answer", "await tx.deliveries.automatic(inbox.id, now - seconds) >= limit", "False"),
    Mutant("T25", "answer", "letter.sender_kind is not SenderKind.PERSON or letter.sender_verdict is Verdict.FAIL", "False"),
    Mutant("T26", "body_hash", 'digest.update(b"\\n" + rest', 'digest.update(b"\\n" + rest[:0]'),
    Mutant("T27", "mailgun", "not token or not hmac.compare_digest(wanted.encode(), given.casefold().encode())", "not token"),
    Mutant("T27", "_is_basic", "bool(password) and hmac.compare_digest(wanted, given.strip().encode())", "True"),
    Mutant("T27", "AmazonSns.proves_no_mail", "await asyncio.to_thread(signatures.sns, posted, topic, certificate)", "pass"),
    Mutant("T28", "mailgun", "not now - BACK <= int(at) <= now + AHEAD", "False"),
    Mutant("T28", "_store", "if before not in (None, digest):", "if False:"),
    Mutant("T29", "_fits", "hmac.compare_digest(_mac(secret, text).encode(), signature.encode())",
           "_mac(secret, text) == signature"),
    Mutant("T30", "Service._check_token", 'and scheme.lower() == "bearer"', ""),
    Mutant("T31", "may_hold_secret", "text = _text(event)", "return False"),
    Mutant("T32", "_check_and_run", "if not await tx.rooms.is_agent(inbox.id, event.sender):", "if False:"),
    Mutant("T33", "act", "by_admin = event.sender in desk.settings.admins",
           "by_admin = event.sender.startswith(tuple(desk.settings.admins))"),
    Mutant("T34", "concerns_us", "if event.sender.startswith(own_prefix):", "if False:"),
    Mutant("T35", "new_text", 'if content.get("msgtype") != "m.text" and not is_file(content):', "if False:"),
    Mutant("T35", "CommandReader.of", "edited(content) is not None", "False"),
    Mutant("T36", "latest", 'if edit and edit.get("sender") == event.get("sender"):', "if edit:"),
    Mutant("T36", "_written_by_agent", "if not await tx.rooms.is_agent(context.inbox.id, author):", "if False:"),
    Mutant("T37", "_check_and_run", "if not await tx.rooms.is_agent(inbox.id, event.sender):", "if False:"),
    Mutant("T38", "concerns_us", "if event.sender.startswith(own_prefix):", "if False:"),
    Mutant("T39", "handle_unknown_room", "(desk.chat.join if known else desk.chat.leave)", "(desk.chat.join)"),
    Mutant("T40", "concerns_us", "case _:\n            return False", "case _:\n            return True"),
    Mutant("T41", "act", "if not by_admin:", "if False:"),
    Mutant("T42", "_check_and_run", "not await tx.conversations.exists(inbox.id, number)", "False"),
    Mutant("T44", "Tokens._read_address", "if any(fits)", "if fits"),
    Mutant("T45", "_client", 'start_tls=smtp.tls == "starttls"', "start_tls=None"),
    Mutant("T46", "reason", "by_inbox >= limits.rooms_per_inbox", "False"),
    Mutant("T46", "reason", "by_sender >= limits.rooms_per_sender", "False"),
    Mutant("T47", "_read", "job.deaths >= MAX_DEATHS", "False"),
    Mutant("T48", "_name", "if not storable(value):", "if False:"),
    Mutant("T49", "UploadFile.share", 'kind = share = "upload"', 'kind, share = "upload", "event"'),
    Mutant("T49", "KeptFiles.of", "if task is None:", "if True:"),
    Mutant("T50", "claimed_conversation", " or mail.sender_verdict is Verdict.FAIL", ""),
    Mutant("T51", "_keep", "if name in await tx.snippets.all(inbox.id):", "if name in await tx.snippets.own(inbox.id):"),
    Mutant("T51", "_keep", "if name in {rule.then.snippet.casefold()", "if None in {rule.then.snippet.casefold()"),
    Mutant("T52", "derived", 'f"postroom {purpose}".encode()', 'b"postroom"'),
    Mutant("T52", "_keep_private", 'os.chmod(f"{path}{suffix}", 0o600)', "pass"),
    Mutant("T52", "_done", 'await tx.jobs.add(EmptyLog(job.id), "scrub")', "pass"),
    Mutant("T53", "_fill_and_invite", "await _remove_former_admins(tx, desk, found)", "pass"),
    Mutant("T54", "is_free_mail", "or (name in BRANDS and SUFFIX.fullmatch(suffix) is not None)", ""),
    Mutant("T55", "_read", "[] if _may_be_steered(results) else _parsed(results)", "_parsed(results)"),
    Mutant("T56", "_check", "elif not isinstance(node, PLAIN):", "elif False:"),
    Mutant("T56", "_parsed", "if len(source) > MAX_LENGTH:", "if False:"),
    Mutant("T56", "inlined", "if name.lower() in REFUSED:", "if False:"),
    Mutant("T56", "_refuse_fetching", "if found := FETCHES.search(css):", "if found := None:"),
    Mutant("T57", "enter", "seccomp.refuse(bounded=False)", "True"),
    Mutant("T57", "enter", "landlock.restrict(readable())", "True"),
    Mutant("T58", "answered", "sealed.mask_all(str(error), asked.rest), next_", "str(error), next_"),
)  # fmt: skip
