"""Tables of the words that mail programs write around quoted mails, in many languages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """The words of one language; all are compared case-folded."""

    wrote: tuple[str, ...]
    """Verbs of “On Monday Alice wrote:”; the line also has a date or an address."""
    on: tuple[str, ...]
    """First words of such a line."""
    from_labels: tuple[str, ...]
    """How mail programs label the field From in a quoted header block; the next three likewise."""
    date_labels: tuple[str, ...]
    to_labels: tuple[str, ...]
    subject_labels: tuple[str, ...]
    original: tuple[str, ...] = ()
    """Text between dashes above a quoted mail."""
    forwarded: tuple[str, ...] = ()
    """Text above a forwarded mail, which is not history but the content itself."""
    device: tuple[str, ...] = ()
    """Start of a phone's signature, or its end if the entry starts with …"""


LANGUAGES: dict[str, Language] = {
    "ar": Language(
        ("كتب", "كتبت"), ("في", "بتاريخ"), ("من",), ("أرسلت", "تاريخ", "التاريخ", "تم الإرسال"),
        ("إلى",), ("الموضوع",), ("الرسالة الأصلية",), ("رسالة معاد توجيهها", "رسالة محولة"),
        ("أرسلت من", "تم الإرسال من"),
    ),
    "bg": Language(
        ("написа",), ("на",), ("от",), ("изпратено", "дата"), ("до",), ("тема", "относно"),
        ("оригинално съобщение",), ("препратено съобщение",), ("изпратено от",),
    ),
    "ca": Language(
        ("va escriure", "ha escrit"), ("el", "en data"), ("de",), ("enviat", "data"),
        ("per a", "a"), ("assumpte", "tema"), ("missatge original",), ("missatge reenviat",),
        ("enviat des", "enviat des de"),
    ),
    "cs": Language(
        ("napsal", "napsala", "napsal(a)"), ("dne",), ("od",), ("odesláno", "datum"),
        ("komu", "pro"), ("předmět",), ("původní zpráva", "původní e-mail"),
        ("přeposlaná zpráva",), ("odesláno z", "odesláno ze"),
    ),
    "da": Language(
        ("skrev",), ("den",), ("fra",), ("sendt", "dato"), ("til",), ("emne",),
        ("oprindelig meddelelse", "oprindelig besked"), ("videresendt meddelelse",),
        ("sendt fra", "hent outlook"),
    ),
    "de": Language(
        ("schrieb", "schrieben", "hat geschrieben", "geschrieben"), ("am",), ("von",),
        ("gesendet", "datum"), ("an",), ("betreff",),
        ("ursprüngliche nachricht", "original-nachricht", "originalnachricht"),
        ("weitergeleitete nachricht", "anfang der weitergeleiteten nachricht",
         "anfang der weitergeleiteten e-mail"),
        ("von meinem", "gesendet von", "gesendet mit", "diese nachricht wurde von meinem",
         "holen sie sich outlook"),
    ),
    "el": Language(
        ("έγραψε",), ("στις",), ("από",), ("στάλθηκε", "ημερομηνία"), ("προς",), ("θέμα",),
        ("αρχικό μήνυμα",), ("προωθημένο μήνυμα",), ("στάλθηκε από", "εστάλη από"),
    ),
    "en": Language(
        ("wrote", "writes"), ("on", "at"), ("from",), ("sent", "date"), ("to",), ("subject",),
        ("original message", "original appointment", "reply message"),
        ("forwarded message", "begin forwarded message", "forwarded by", "forwarded mail",
         "forwarded email"),
        ("sent from", "sent via", "sent with", "sent using", "get outlook for", "sent on the go"),
    ),
    "es": Language(
        ("escribió", "ha escrito", "escribio"), ("el",), ("de",), ("enviado", "enviado el",
        "fecha"),
        ("para", "a"), ("asunto",), ("mensaje original",),
        ("mensaje reenviado", "inicio del mensaje reenviado"),
        ("enviado desde", "obtener outlook", "enviado con"),
    ),
    "et": Language(
        ("kirjutas",), ("kuupäeval",), ("saatja",), ("saadetud", "kuupäev"), ("adressaat", "saaja"),
        ("teema",), ("algne kiri", "algne sõnum"), ("edastatud kiri",), ("saadetud minu",),
    ),
    "fi": Language(
        ("kirjoitti",), (), ("lähettäjä",), ("lähetetty", "päivämäärä", "päiväys"),
        ("vastaanottaja",), ("aihe",), ("alkuperäinen viesti",), ("välitetty viesti",),
        ("lähetetty", "hanki outlook"),
    ),
    "fr": Language(
        ("a écrit", "écrivait", "écrit"), ("le",), ("de",), ("envoyé", "date"), ("à", "a", "pour"),
        ("objet", "sujet"), ("message d'origine", "message original", "message d’origine"),
        ("message transféré", "début du message réexpédié", "début du message transféré",
         "message réexpédié"),
        ("envoyé depuis", "envoyé de mon", "envoyé à partir", "télécharger outlook",
         "obtenez outlook", "envoyé avec"),
    ),
    "he": Language(
        ("כתב", "כתבה", "מאת", "כתב/ה"), ("בתאריך", "ב"), ("מאת",), ("נשלח", "תאריך"), ("אל",),
        ("נושא",), ("הודעה מקורית",), ("הודעה שהועברה",), ("נשלח מה", "נשלח מ"),
    ),
    "hr": Language(
        ("napisao", "napisala", "napisao/la", "je napisao", "je napisao/la"), ("dana",), ("od",
        "šalje"),
        ("poslano", "datum"), ("za", "prima"), ("predmet",), ("izvorna poruka",),
        ("proslijeđena poruka",), ("poslano s", "poslano sa"),
    ),
    "hu": Language(
        ("írta", "ezt írta"), (), ("feladó",), ("elküldve", "dátum", "küldés dátuma"), ("címzett",),
        ("tárgy",), ("eredeti üzenet",), ("továbbított üzenet",), ("elküldve", "az iphone"),
    ),
    "id": Language(
        ("menulis", "menulis:"), ("pada",), ("dari",), ("dikirim", "tanggal"), ("kepada", "ke"),
        ("subjek", "perihal"), ("pesan asli",), ("pesan terusan", "pesan yang diteruskan"),
        ("dikirim dari",),
    ),
    "it": Language(
        ("ha scritto", "scrive", "scriveva"), ("il", "in data", "alle"), ("da",),
        ("inviato", "data", "inviato il"), ("a",), ("oggetto",), ("messaggio originale",
        "messaggio originario"),
        ("messaggio inoltrato", "inizio messaggio inoltrato"),
        ("inviato da", "inviato dal", "scarica outlook", "ottieni outlook"),
    ),
    "ja": Language(
        ("のメール", "書きました", "のメッセージ", "wrote"), (), ("差出人", "送信者", "発信者"),
        ("送信日時", "日時", "日付"), ("宛先",), ("件名",),
        ("元のメッセージ", "オリジナルメッセージ"),
        ("転送されたメッセージ", "転送メッセージ"), ("…から送信", "…より送信"),
    ),
    "ko": Language(
        ("작성", "님이 작성", "쓴 글", "보낸 글"), (), ("보낸 사람", "보낸사람", "발신"),
        ("보낸 날짜", "날짜", "보낸날짜"), ("받는 사람", "받는사람", "수신"), ("제목",),
        ("원본 메시지", "원본 메일", "원래의 메시지"), ("전달된 메시지", "전달된 메일"),
        ("…에서 보냄", "…에서 전송"),
    ),
    "lt": Language(
        ("rašė", "parašė"), (), ("nuo",), ("išsiųsta", "data"), ("kam", "iki"), ("tema",),
        ("pradinis laiškas", "originalus pranešimas"), ("persiųstas laiškas",), ("išsiųsta iš",),
    ),
    "lv": Language(
        ("rakstīja",), (), ("no",), ("nosūtīts", "datums"), ("kam",), ("tēma", "temats"),
        ("sākotnējais ziņojums",), ("pārsūtīts ziņojums",), ("nosūtīts no",),
    ),
    "nb": Language(
        ("skrev", "følgende"), ("den", "på"), ("fra",), ("sendt", "dato"), ("til",), ("emne",),
        ("opprinnelig melding",), ("videresendt melding",), ("sendt fra", "sendt via",
        "skaff deg outlook"),
    ),
    "nl": Language(
        ("schreef", "geschreven", "schrijft"), ("op",), ("van",), ("verzonden", "datum"),
        ("aan",), ("onderwerp",), ("oorspronkelijk bericht", "origineel bericht"),
        ("doorgestuurd bericht", "begin doorgestuurd bericht"),
        ("verzonden met", "verzonden vanaf", "verstuurd vanaf", "verzonden via", "download outlook",
         "outlook voor"),
    ),
    "pl": Language(
        ("napisał", "napisała", "napisał(a)", "pisze"), ("w dniu", "dnia"), ("od",),
        ("wysłano", "data", "wysłane"), ("do",), ("temat",), ("oryginalna wiadomość",
        "wiadomość oryginalna"),
        ("przekazana wiadomość", "wiadomość przekazana dalej", "treść przekazanej wiadomości"),
        ("wysłano z", "wysłane z", "pobierz program outlook"),
    ),
    "pt": Language(
        ("escreveu", "escreveram"), ("em", "no dia", "a"), ("de",), ("enviado", "enviada",
        "data", "enviada em"),
        ("para",), ("assunto",), ("mensagem original",),
        ("mensagem encaminhada", "mensagem reencaminhada", "início da mensagem reencaminhada"),
        ("enviado do meu", "enviado a partir", "enviado de", "enviado via", "obter o outlook",
        "baixar o outlook"),
    ),
    "ro": Language(
        ("a scris",), ("în", "pe", "la"), ("de la",), ("trimis", "data"), ("către", "la"),
        ("subiect",), ("mesaj original", "mesajul original"), ("mesaj redirecționat",),
        ("trimis de pe", "trimis din"),
    ),
    "ru": Language(
        ("написал", "написала", "пишет", "писал", "написал(а)"), (), ("от", "от кого"),
        ("отправлено", "дата", "отправлен"), ("кому",), ("тема",),
        ("исходное сообщение", "оригинальное сообщение", "исходное письмо"),
        ("пересылаемое сообщение", "пересланное сообщение", "пересылаемое письмо"),
        ("отправлено с", "отправлено из", "отправлено от", "скачайте outlook"),
    ),
    "sk": Language(
        ("napísal", "napísala", "napísal(a)"), ("dňa",), ("od",), ("odoslané", "dátum"),
        ("komu", "pre"), ("predmet",), ("pôvodná správa",), ("preposlaná správa",), ("odoslané z",),
    ),
    "sl": Language(
        ("je napisal", "je napisala", "je napisal/a"), ("dne",), ("od",), ("poslano", "datum"),
        ("za",),
        ("zadeva",), ("izvirno sporočilo",), ("posredovano sporočilo",), ("poslano iz",
        "poslano z"),
    ),
    "sr": Language(
        ("je napisao", "је написао", "napisao je", "је написао/ла"), ("dana", "дана"), ("od", "од"),
        ("poslato", "послато", "датум"), ("za", "за", "коме"), ("предмет", "naslov", "наслов"),
        ("originalna poruka", "оригинална порука"), ("prosleđena poruka", "прослеђена порука"),
        ("poslato sa", "послато са"),
    ),
    "sv": Language(
        ("skrev",), ("den",), ("från",), ("skickat", "datum"), ("till",), ("ämne",),
        ("ursprungligt meddelande", "originalmeddelande"),
        ("vidarebefordrat meddelande", "vidarebefordrat brev"),
        ("skickat från", "skickades från", "hämta outlook"),
    ),
    "th": Language(
        ("เขียนว่า", "เขียน"), ("เมื่อ",), ("จาก",), ("ส่ง", "วันที่"), ("ถึง",), ("เรื่อง",
        "หัวเรื่อง"),
        ("ข้อความต้นฉบับ",), ("ข้อความที่ส่งต่อ",), ("ส่งจาก",),
    ),
    "tr": Language(
        ("şunu yazdı", "yazdı", "tarihinde"), (), ("gönderen", "kimden"),
        ("gönderildi", "tarih", "gönderme tarihi"), ("kime", "alıcı"), ("konu",),
        ("orijinal mesaj", "özgün ileti", "orijinal ileti"),
        ("yönlendirilen mesaj", "iletilmiş mesaj", "iletilen ileti"),
        ("…gönderildi", "…tarafımdan gönderildi"),
    ),
    "uk": Language(
        ("пише", "написав", "написала", "писав"), (), ("від", "від кого"), ("надіслано", "дата"),
        ("кому",), ("тема",), ("оригінальне повідомлення", "вихідне повідомлення"),
        ("переслане повідомлення",), ("надіслано з", "відправлено з"),
    ),
    "vi": Language(
        ("đã viết", "viết"), ("vào", "ngày"), ("từ",), ("đã gửi", "ngày", "gửi"), ("đến", "tới"),
        ("chủ đề", "tiêu đề"), ("thư gốc", "tin nhắn gốc"), ("thư đã chuyển tiếp",
        "thư chuyển tiếp"),
        ("được gửi từ", "đã gửi từ"),
    ),
    "zh": Language(
        ("写道", "寫道", "写到", "已写入", "來信"), ("在", "于", "於"),
        ("发件人", "寄件者", "寄件人", "发自"),
        ("发送时间", "发送日期", "日期", "寄件日期", "傳送時間", "时间"), ("收件人", "收件者"),
        ("主题", "主旨", "主題"), ("原始邮件", "原邮件", "原始郵件", "邮件原件"),
        ("转发的邮件", "转发邮件", "轉寄的郵件", "轉寄郵件", "转发邮件信息"),
        ("发自", "從我的", "传送自", "…傳送", "從", "来自我的"),
    ),
}  # fmt: skip

# Other fields of quoted header blocks, in any language.
OTHER_FIELDS = frozenset(
    {
        "cc", "bcc", "ccn", "cci", "kopie", "kopi", "kopia", "copie", "copia", "cópia", "dw",
        "копия",
        "копія", "抄送", "副本", "참조", "reply-to", "answer to", "antwort an", "risposta",
        "répondre à", "responder a", "responder para", "importance", "wichtigkeit", "importanza",
        "attachments", "anlagen", "pièces jointes", "to", "priority", "x-mailer", "message-id",
        "organization", "newsgroups", "time", "sent by", "on behalf of",
    }
)  # fmt: skip

# A long paragraph that contains one of these is a legal disclaimer.
DISCLAIMERS = (
    "intended recipient", "this email and any attachments", "this e-mail and any attachments",
    "this email message and any attachments", "this message and any attachments",
    "confidentiality notice", "is confidential and", "may contain confidential",
    "diese e-mail enthält vertrauliche", "diese nachricht ist vertraulich", "vertrauliche und/oder",
    "ce message et toutes les pièces jointes", "ce message est confidentiel",
    "ce courriel et", "este mensaje y sus archivos", "este mensaje puede contener",
    "este correo electrónico y", "questo messaggio è confidenziale", "il presente messaggio",
    "le informazioni contenute", "esta mensagem pode conter", "esta mensagem e seus anexos",
    "dit bericht is uitsluitend", "de informatie in deze e-mail", "deze e-mail en",
    "detta meddelande är", "denne e-post", "denne e-mail", "tämä viesti on",
    "ta wiadomość", "niniejsza wiadomość", "tato zpráva", "это сообщение", "данное сообщение",
    "bu e-posta", "本邮件及其附件", "本郵件", "本メール",
)  # fmt: skip

# First words of a line that only greets, case-folded.
GREETINGS = (
    "hello", "hi", "hey", "dear", "good morning", "good afternoon", "good evening", "greetings",
    "hallo", "guten tag", "guten morgen", "guten abend", "liebe", "lieber", "liebes",
    "sehr geehrte", "sehr geehrter", "moin", "servus", "grüß gott", "grüezi", "bonjour", "bonsoir",
    "salut", "cher", "chère", "madame", "monsieur", "hola", "buenos días", "buenas tardes",
    "estimado", "estimada", "estimados", "querido", "querida", "ciao", "buongiorno", "buonasera",
    "gentile", "egregio", "egregia", "spettabile", "olá", "bom dia", "boa tarde", "prezado",
    "prezada", "caro", "cara", "beste", "geachte", "goedemorgen", "goedemiddag", "goedendag", "hej",
    "hejsan", "kära", "god dag", "hei", "kjære", "kære", "hyvä", "moi", "dzień dobry", "cześć",
    "szanowny", "szanowna", "szanowni", "dobrý den", "ahoj", "vážený", "vážená", "vážení",
    "jó napot", "tisztelt", "kedves", "bună ziua", "здравствуйте", "добрый день", "привет",
    "уважаемый", "уважаемая", "добрий день", "вітаю", "γεια σας", "καλημέρα", "merhaba",
    "sayın", "您好", "你好", "尊敬的", "お世話になって", "こんにちは",
    "안녕하세요", "مرحبا", "السلام عليكم", "שלום",
)  # fmt: skip

# Short lines that programs add, not people.
FOOTERS = (
    "avast.com", "www.avg.com", "please consider the environment before printing",
    "bitte denken sie an die umwelt", "pensez à l'environnement avant d'imprimer",
)  # fmt: skip


def words(name: str) -> tuple[str, ...]:
    """The words of all languages in the field `name` of Language, the longest first."""
    found = {word for each in LANGUAGES.values() for word in getattr(each, name)}
    return tuple(sorted(found, key=lambda word: (-len(word), word)))
