"""Free-mail domains, on which anybody can have an address: mail providers and access providers.

Maintained by hand: the domains of a brand follow a pattern, so that yahoo.it needs no line; other
domains are listed by region. Add missing ones; one too many costs only an extra question to agents.
"""

from __future__ import annotations

import re

BRANDS = frozenset(
    ("aim", "aol", "gmx", "googlemail", "hotmail", "inbox", "live", "mail", "msn", "netscape",
     "outlook", "passport", "proton", "protonmail", "rediffmail", "rocketmail", "tutanota",
     "windowslive", "yahoo", "yandex", "ymail", "zohomail")
)  # fmt: skip
SUFFIX = re.compile(r"[a-z]{2,6}|(?:com?|net|org|ne|or)\.[a-z]{2}")
"""The rest of the domain after a brand: `it`, `com`, `co.uk`, `com.br`."""
LISTED = """
# the world
anonaddy.com consultant.com disroot.org duck.com email.com engineer.com europe.com excite.com
fastmail.com fastmail.fm gmail.com gmx.net hey.com hushmail.com icloud.com juno.com keemail.me
lycos.com mac.com mailfence.com me.com mozmail.com netzero.net pm.me post.com posteo.net
privaterelay.appleid.com riseup.net runbox.com simplelogin.com startmail.com tuta.com tuta.io
tutamail.com usa.com zoho.com zoho.eu
# Germany, Austria, Switzerland
1und1.de a1.net alice-dsl.net alice.de aon.at arcor.de bluewin.ch chello.at email.de ewe.net
ewetel.net freenet.de hispeed.ch inode.at kabelmail.de liwest.at mailbox.org netcologne.de
o2mail.de o2online.de online.de posteo.de sunrise.ch swissonline.ch t-online.de unity-mail.de
versanet.de vodafone.de web.de
# France, Belgium, Luxembourg, the Netherlands
aliceadsl.fr bbox.fr casema.nl cegetel.net chello.nl club-internet.fr free.fr hetnet.nl home.nl
kpnmail.nl kpnplanet.nl laposte.net neuf.fr noos.fr numericable.fr orange.fr planet.nl proximus.be
pt.lu quicknet.nl scarlet.be sfr.fr skynet.be solcon.nl telenet.be upcmail.nl voila.fr voo.be
wanadoo.fr xs4all.nl ziggo.nl
# Italy, Spain, Portugal, Greece
alice.it aruba.it clix.pt email.it fastwebnet.it forthnet.gr hol.gr inwind.it iol.it libero.it
movistar.es netcabo.pt ono.com otenet.gr poste.it sapo.pt telefonica.net terra.es tin.it
tiscali.it virgilio.it
# Britain, Ireland, the North
blueyonder.co.uk bredband.net broadpark.no btinternet.com btopenworld.com comhem.se eircom.net
elisanet.fi jubii.dk kolumbus.fi luukku.com mail.dk ntlworld.com online.no plus.net saunalahti.fi
simnet.is sky.com spray.se stofanet.dk talktalk.net tdcadsl.dk tele2.se telia.com telia.se
tiscali.co.uk virginmedia.com vodafone.ie
# the East
abv.bg apollo.lv azet.sk bigmir.net bk.ru centrum.cz centrum.sk citromail.hu dir.bg email.cz
freemail.hu gazeta.pl hot.ee i.ua inbox.lv inbox.ru inet.hr interia.eu interia.pl internet.ru
list.ru mail.bg mail.ru meta.ua net.hr o2.pl one.lt onet.eu onet.pl op.pl poczta.onet.pl post.cz
rambler.ru seznam.cz siol.net t-com.hr t-online.hu tlen.pl ukr.net volny.cz wp.pl ya.ru zoznam.sk
# America
arnet.com.ar att.net bell.net bellsouth.net bol.com.br centurylink.net charter.net ciudad.com.ar
cogeco.ca comcast.net cox.net earthlink.net embarqmail.com fibertel.com.ar frontier.com
frontiernet.net globo.com globomail.com ig.com.br mindspring.com oi.com.br optonline.net
prodigy.net prodigy.net.mx r7.com roadrunner.com rogers.com sbcglobal.net shaw.ca speedy.com.ar
suddenlink.net sympatico.ca telus.net terra.com.br uol.com.br verizon.net videotron.ca vtr.net
windstream.net
# Asia, Australia, Africa
012.net.il 126.com 139.com 163.com 188.com 189.cn 21cn.com aliyun.com au.com bezeqint.net
biglobe.ne.jp bigpond.com bigpond.net.au daum.net docomo.ne.jp excite.co.jp ezweb.ne.jp
foxmail.com goo.jp hanmail.net hinet.net hongkong.com i.softbank.jp iinet.net.au indiatimes.com
kakao.com maktoob.com mweb.co.za nate.com naver.com netvigator.com netvision.net.il nifty.com
ocn.ne.jp optusnet.com.au ozemail.com.au pchome.com.tw plala.or.jp qq.com rediff.com seed.net.tw
sify.com sina.cn sina.com singnet.com.sg slingshot.co.nz so-net.ne.jp softbank.ne.jp sohu.com
telkomsa.net tom.com tpg.com.au vip.163.com vodamail.co.za walla.co.il walla.com webmail.co.za
xtra.co.nz yeah.net
"""
DOMAINS = frozenset(
    domain for line in LISTED.splitlines() if not line.startswith("#") for domain in line.split()
)
