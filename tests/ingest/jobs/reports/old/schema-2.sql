PRAGMA user_version=2;
BEGIN TRANSACTION;
CREATE TABLE arf_feedback (
        report INTEGER PRIMARY KEY REFERENCES report (id) ON DELETE CASCADE,
        feedback_type TEXT NOT NULL,
        incidents INTEGER NOT NULL,
        arrived_at INTEGER,
        user_agent TEXT NOT NULL,
        source_ip TEXT NOT NULL,
        source_port INTEGER NOT NULL,
        reporting_mta TEXT NOT NULL,
        envelope_id TEXT NOT NULL,
        mail_from TEXT NOT NULL,
        rcpt_to TEXT NOT NULL,
        domains TEXT NOT NULL,
        uris TEXT NOT NULL,
        authentication_results TEXT NOT NULL,
        auth_failure TEXT NOT NULL,
        delivery_result TEXT NOT NULL,
        identity_alignment TEXT NOT NULL,
        dkim_domain TEXT NOT NULL,
        dkim_identity TEXT NOT NULL,
        dkim_selector TEXT NOT NULL,
        dkim_selector_dns TEXT NOT NULL,
        dkim_adsp_dns TEXT NOT NULL,
        spf_dns TEXT NOT NULL
    );
INSERT INTO "arf_feedback" VALUES(3,'abuse',1,1795255200,'lab/1','192.0.2.3',0,'','','<alice@example.test>','<user@reporter.test>','["example.test"]','[]','[]','unspecified','unspecified','unspecified','','','','','','');
CREATE TABLE dmarc_auth (
        report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE,
        record INTEGER NOT NULL,
        number INTEGER NOT NULL,
        method TEXT NOT NULL,
        domain TEXT NOT NULL,
        detail TEXT NOT NULL,
        result TEXT NOT NULL,
        human_result TEXT NOT NULL,
        PRIMARY KEY (report, record, number)
    ) WITHOUT ROWID
    ;
INSERT INTO "dmarc_auth" VALUES(1,0,0,'dkim','example.test','s1','pass','');
INSERT INTO "dmarc_auth" VALUES(1,0,1,'spf','example.test','mfrom','pass','');
CREATE TABLE dmarc_day (
        server TEXT NOT NULL,
        day INTEGER NOT NULL,
        domain TEXT NOT NULL,
        aligned INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        reports INTEGER NOT NULL,
        PRIMARY KEY (server, day, domain)
    ) WITHOUT ROWID
    ;
INSERT INTO "dmarc_day" VALUES('mx1',20777,'example.test',1,0,1);
CREATE TABLE dmarc_override (
        report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE,
        record INTEGER NOT NULL,
        number INTEGER NOT NULL,
        reason TEXT NOT NULL,
        comment TEXT NOT NULL,
        PRIMARY KEY (report, record, number)
    ) WITHOUT ROWID
    ;
CREATE TABLE dmarc_policy (
        report INTEGER PRIMARY KEY REFERENCES report (id) ON DELETE CASCADE,
        email TEXT NOT NULL,
        extra_contact TEXT NOT NULL,
        errors TEXT NOT NULL,
        generator TEXT NOT NULL,
        policy TEXT NOT NULL,
        subdomain_policy TEXT NOT NULL,
        nonexistent_policy TEXT NOT NULL,
        dkim_alignment TEXT NOT NULL,
        spf_alignment TEXT NOT NULL,
        percent INTEGER,
        testing INTEGER NOT NULL,
        failure_options TEXT NOT NULL,
        discovery_method TEXT NOT NULL
    );
INSERT INTO "dmarc_policy" VALUES(1,'dmarc@reporter.test','','[]','','none','unspecified','unspecified','relaxed','relaxed',NULL,0,'','unspecified');
CREATE TABLE dmarc_record (
        report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE,
        record INTEGER NOT NULL,
        source_ip TEXT NOT NULL,
        messages INTEGER NOT NULL,
        disposition TEXT NOT NULL,
        dkim TEXT NOT NULL,
        spf TEXT NOT NULL,
        header_from TEXT NOT NULL,
        envelope_from TEXT NOT NULL,
        envelope_to TEXT NOT NULL,
        PRIMARY KEY (report, record)
    ) WITHOUT ROWID
    ;
INSERT INTO "dmarc_record" VALUES(1,0,'192.0.2.1',1,'none','pass','pass','example.test','','');
CREATE TABLE dmarc_reporter (
        server TEXT NOT NULL,
        domain TEXT NOT NULL,
        reporter TEXT NOT NULL,
        reports INTEGER NOT NULL,
        last_received_at INTEGER NOT NULL,
        PRIMARY KEY (server, domain, reporter)
    ) WITHOUT ROWID
    ;
INSERT INTO "dmarc_reporter" VALUES('mx1','example.test','reporter.test',1,1795305604);
CREATE TABLE report (
        id INTEGER PRIMARY KEY,
        server TEXT NOT NULL,
        kind TEXT NOT NULL,
        identity BLOB NOT NULL,
        source_id TEXT NOT NULL,
        reporter TEXT NOT NULL,
        report_id TEXT NOT NULL,
        domain TEXT NOT NULL,
        begins_at INTEGER NOT NULL,
        ends_at INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        passed INTEGER NOT NULL,
        failed INTEGER NOT NULL
    );
INSERT INTO "report" VALUES(1,'mx1','dmarc',X'00005129B727850CDE86B4C936094325','341889471479808004_1797897604','reporter.test','r-1','example.test',1795132800,1795219199,1795305604,1,0);
INSERT INTO "report" VALUES(2,'mx1','tls',X'0000512A597C3F5255EFEFDEAB6AA03B','341889463091200000_1797897600','peer.test','1795132800_1234567890123456789','one.test',1795132800,1795219200,1795305600,30,0);
INSERT INTO "report" VALUES(3,'mx1','arf',X'00000000529099A21651424EDCAE474A','341889473576960005_1797897605','peer.test','341889473576960005','example.test',1795255200,1795255200,1795305605,0,1);
INSERT INTO "report" VALUES(4,'mx1','tls',X'0000512A5E7D28E03FB14199951631E5','341889467285504002_1797897602','peer.test','t-2','one.test',1795132800,1795219200,1795305602,8,2);
CREATE TABLE report_raw (
        report INTEGER PRIMARY KEY REFERENCES report (id) ON DELETE CASCADE,
        packed BLOB NOT NULL
    );
INSERT INTO "report_raw" VALUES(1,X'28B52FFD6482025D0500D402746C7340706565722E74656578616D706C654022722D315F3935313332383030223A31373935323139313939312D2040C294999977595826C882002F20E4823D0DA1EA01D6CA035074C0C2045D32782383BD9041E49133095AF304CA0E70AA3FC8C4605D1CB2FF02243A40BED2247411ECAA9640B9FD92A4B1A641530C440DE02D1208E68D5BC4BA49A0C786CC00D0F5203B6670D412BC5F10B213188755AC018F0F10C1E531CF30082898D9C4');
INSERT INTO "report_raw" VALUES(2,X'28B52FFD641401B504001404746C7340706565722E74656578616D706C6531312D323031312D32746C7340313739353133323830305F313233343536373839306F6E6D782E33305D7D5D7D7D7D1C00FA133C113FC1187816332738608A66B826988254D040AB0B142B78400350802D85510507CC0C18FC061D331048204CD02060D497023242CC81A380E1FD2E08392730D4B08AB3018FF30011F2E531CF3908A9C814EE');
INSERT INTO "report_raw" VALUES(3,X'28B52FFD64F901DD03009402746C7340706565722E74656578616D706C6539353235353230616C6963657573657240336C61622F3119004B8E850A789C614D2C444C48262CA0E0815E0CC0B0F0008439D02B54702007940F53B4021888EFD0B22A9CE18B3033A7C21AFC0A27380A1EBC9F0021E704861A567136E0711E2042BE3CE63907013C0EE9FE');
INSERT INTO "report_raw" VALUES(4,X'28B52FFD649E020D06002404746C7340706565722E74656578616D706C6531312D323031312D32746C7340742D326F6E6D782E35333264616E652D7265717569723139382E35312E3130302E37322D2050C2315233F725899FF5015BC901F023405301C7FA05A2BA72579A20D98297EC48FC3B371CA2275B5AC2103144ED0CC6A6842E1DF04D0BFA3CAE143130C530C90E6039432291449F5080A520E07FC5A04A060C070CBA41A7039D40986210477DA9444608078E12C39B17843C098C86558C018F3D40842F8F79AE4159DF025C');
CREATE TABLE report_rejected (
        id INTEGER PRIMARY KEY,
        server TEXT NOT NULL,
        kind TEXT NOT NULL,
        source_id TEXT NOT NULL,
        received_at INTEGER NOT NULL,
        rejected_at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        packed BLOB NOT NULL,
        UNIQUE (server, kind, source_id)
    );
INSERT INTO "report_rejected" VALUES(1,'mx1','tls','341889469382656003',1795305603,1796039043,'data.report.policies[0].summary.total-successful-session-count: Expected `int` >= 0',X'28B52FFD64ED00F50300E402746C7340706565722E74656578616D706C6531312D323031312D32746C7340742D336F6E6D782E2D5D7D5D7D7D7D1A00C3123C852BC1087816C32438808566482498449FA0022C0509F83F8B41151C303360F01B74CC40208130418380515F0AC80831078E0286F7BB20E49CC050C32ACE063CCE0344C897C73CE720C168BD81');
CREATE TABLE seen (
            server TEXT NOT NULL,
            source TEXT NOT NULL,
            id TEXT NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (server, source, id)
        ) WITHOUT ROWID
        ;
INSERT INTO "seen" VALUES('mx1','reports_arf','341889473576960005_1797897605',1796039043);
INSERT INTO "seen" VALUES('mx1','reports_dmarc','341889471479808004_1797897604',1796039043);
INSERT INTO "seen" VALUES('mx1','reports_tls','341889463091200000_1797897600',1796039043);
INSERT INTO "seen" VALUES('mx1','reports_tls','341889465188352001_1797897601',1796039043);
INSERT INTO "seen" VALUES('mx1','reports_tls','341889467285504002_1797897602',1796039043);
INSERT INTO "seen" VALUES('mx1','reports_tls','341889469382656003_1797897603',1796039043);
CREATE TABLE tally (
            server TEXT NOT NULL,
            name TEXT NOT NULL,
            labels TEXT NOT NULL,
            value INTEGER NOT NULL,
            PRIMARY KEY (server, name, labels)
        ) WITHOUT ROWID
        ;
INSERT INTO "tally" VALUES('mx1','arf_reports','["abuse"]',1);
INSERT INTO "tally" VALUES('mx1','dmarc_messages','["example.test", "none", "pass", "pass"]',1);
INSERT INTO "tally" VALUES('mx1','reports','["arf"]',1);
INSERT INTO "tally" VALUES('mx1','reports','["dmarc"]',1);
INSERT INTO "tally" VALUES('mx1','reports','["tls"]',2);
INSERT INTO "tally" VALUES('mx1','reports_rejected','["arf"]',0);
INSERT INTO "tally" VALUES('mx1','reports_rejected','["dmarc"]',0);
INSERT INTO "tally" VALUES('mx1','reports_rejected','["tls"]',1);
INSERT INTO "tally" VALUES('mx1','tls_failures','["one.test", "dane-required"]',2);
INSERT INTO "tally" VALUES('mx1','tls_sessions','["one.test", "no-policy-found", "success"]',30);
INSERT INTO "tally" VALUES('mx1','tls_sessions','["one.test", "sts", "success"]',5);
INSERT INTO "tally" VALUES('mx1','tls_sessions','["one.test", "tlsa", "failure"]',2);
INSERT INTO "tally" VALUES('mx1','tls_sessions','["one.test", "tlsa", "success"]',3);
CREATE TABLE tls_failure (
        report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE,
        policy INTEGER NOT NULL,
        number INTEGER NOT NULL,
        result TEXT NOT NULL,
        sessions INTEGER NOT NULL,
        sending_ip TEXT NOT NULL,
        receiving_host TEXT NOT NULL,
        receiving_helo TEXT NOT NULL,
        receiving_ip TEXT NOT NULL,
        information TEXT NOT NULL,
        reason_code TEXT NOT NULL,
        PRIMARY KEY (report, policy, number)
    ) WITHOUT ROWID
    ;
INSERT INTO "tls_failure" VALUES(4,1,0,'dane-required',2,'198.51.100.7','mx.one.test','','','','');
CREATE TABLE tls_policy (
        report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE,
        policy INTEGER NOT NULL,
        type TEXT NOT NULL,
        domain TEXT NOT NULL,
        strings TEXT NOT NULL,
        mx_hosts TEXT NOT NULL,
        successes INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        PRIMARY KEY (report, policy)
    ) WITHOUT ROWID
    ;
INSERT INTO "tls_policy" VALUES(2,0,'no-policy-found','one.test','[]','["mx.one.test"]',30,0);
INSERT INTO "tls_policy" VALUES(4,0,'sts','one.test','[]','["mx.one.test"]',5,0);
INSERT INTO "tls_policy" VALUES(4,1,'tlsa','one.test','[]','["mx.one.test"]',3,2);
CREATE TABLE watermark (
            server TEXT NOT NULL,
            source TEXT NOT NULL,
            state TEXT NOT NULL,
            PRIMARY KEY (server, source)
        ) WITHOUT ROWID
        ;
INSERT INTO "watermark" VALUES('mx1','reports_arf','{"complete":true,"walked_at":1796039043,"left":0,"total":1}');
INSERT INTO "watermark" VALUES('mx1','reports_dmarc','{"complete":true,"walked_at":1796039042,"left":0,"total":1}');
INSERT INTO "watermark" VALUES('mx1','reports_tls','{"complete":true,"walked_at":1796039043,"left":0,"total":4}');
CREATE INDEX seen_at ON seen (server, source, at);
CREATE UNIQUE INDEX report_identity ON report (server, kind, identity);
CREATE INDEX report_received ON report (received_at);
CREATE INDEX report_domain ON report (domain, ends_at);
CREATE INDEX report_dmarc_ends ON report (server, ends_at, domain, passed, failed) WHERE kind = 'dmarc';
CREATE INDEX report_rejected_received ON report_rejected (received_at);
COMMIT;
