//! Valid inputs to start from: what cameras answer, and what recorders ask.

use super::camera::SEPARATOR;

/// Valid inputs to start from, each with the name of its target and a name.
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let mut all = found();
    all.extend(asked());
    all.extend(cameras());
    all
}

fn envelope(body: &str) -> Vec<u8> {
    format!("<s:Envelope xmlns:s=\"e\"><s:Body>{body}</s:Body></s:Envelope>").into_bytes()
}

/// XML, and searches from both sides.
fn found() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let answer = "<d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:1</a:Address>\
        </a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/name/A%20B \
        onvif://www.onvif.org/hardware/C onvif://www.onvif.org/Profile/T</d:Scopes><d:XAddrs>http://10.0.0.1/onvif \
        http://[fe80::1]/onvif</d:XAddrs></d:ProbeMatch></d:ProbeMatches>";
    let question = |body: &str| {
        format!(
            "<s:Envelope><s:Header><a:MessageID>urn:uuid:1</a:MessageID></s:Header><s:Body>{body}</s:Body></s:Envelope>"
        )
        .into_bytes()
    };
    let scopes = |rule: &str, scopes: &str| {
        question(&format!(
            "<d:Probe><d:Scopes MatchBy='x/{rule}'>{scopes}</d:Scopes></d:Probe>"
        ))
    };
    let of = |reference: &str| {
        question(&format!(
            "<d:Resolve><a:EndpointReference><a:Address>{reference}</a:Address></a:EndpointReference></d:Resolve>"
        ))
    };
    let own = "onvif://www.onvif.org/Profile/Streaming";
    vec![
        (
            "questions",
            "probe",
            question(
                "<d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes MatchBy='x/rfc2396'>\
                 onvif://www.onvif.org/Profile</d:Scopes></d:Probe>",
            ),
        ),
        (
            "questions",
            "resolve",
            question(
                "<d:Resolve><a:EndpointReference><a:Address>urn:uuid:1</a:Address></a:EndpointReference></d:Resolve>",
            ),
        ),
        (
            "xml",
            "entities",
            b"<a b='&lt;'>x&amp;&#65;<![CDATA[<]]><c/></a>".to_vec(),
        ),
        ("discovery", "match", envelope(answer)),
        (
            "discovery",
            "hello",
            envelope("<d:Hello><d:XAddrs>http://a/onvif</d:XAddrs></d:Hello>"),
        ),
        (
            "discovery",
            "bare",
            envelope(
                "<d:ProbeMatch><d:XAddrs>junk http://a/onvif</d:XAddrs></d:ProbeMatch><d:ProbeMatch><d:XAddrs>http://a/onvif \
                 http://b/onvif</d:XAddrs><d:Scopes>odd onvif://www.onvif.org/odd onvif://www.onvif.org/name/ \
                 onvif://www.onvif.org/mfr/M</d:Scopes></d:ProbeMatch>",
            ),
        ),
        ("discovery", "fault", envelope("<s:Fault/>")),
        ("questions", "everybody", question("<d:Probe/>")),
        ("questions", "exact", scopes("strcmp0", own)),
        ("questions", "without-host", scopes("rfc3986", "of-nobody")),
        ("questions", "no-rule", scopes("ldap", own)),
        ("questions", "no-scope", scopes("rfc2396", "onvif://www.onvif.org/Profile/T")),
        (
            "questions",
            "no-type",
            question("<d:Probe><d:Types>x:Printer</d:Types></d:Probe>"),
        ),
        ("questions", "no-reference", of("urn:uuid:2")),
        ("questions", "no-question", question("<d:Hello/>")),
        (
            "questions",
            "no-short-id",
            format!(
                "<s:Envelope><s:Header><a:MessageID>{}</a:MessageID></s:Header><s:Body><d:Probe/></s:Body></s:Envelope>",
                "x".repeat(300)
            )
            .into_bytes(),
        ),
        (
            "xml",
            "odd",
            b"<?xml version='1.0'?><?a b?><!-- c --><a:b c=d e='&lt;&x;' f><g>&y; &#x1f600; & </h></b>".to_vec(),
        ),
        ("xml", "doctype", b"<!DOCTYPE a><a/>".to_vec()),
        ("xml", "deep", "<a>".repeat(70).into_bytes()),
        (
            "xml",
            "attributes",
            format!("<a {}/>", "b='' ".repeat(260)).into_bytes(),
        ),
    ]
}

/// Requests to our device.
fn asked() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let login = "<w:Security><w:UsernameToken><w:Username>joe</w:Username><w:Password \
        Type='x#PasswordDigest'>tuOSpGlFlIXsozq4HFNeeGeFLEI=</w:Password><w:Nonce>LKqI6G/AikKCQrN0zqZFlg==</w:Nonce>\
        <u:Created>1970-01-01T00:00:05Z</u:Created></w:UsernameToken></w:Security>";
    let request = |service: u8, header: &str, body: &str| {
        let text = format!(
            "<s:Envelope><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
        );
        [&[service][..], text.as_bytes()].concat()
    };
    // The service, the operation that its seed is named after, and what is in it.
    let (profile, configuration) = (
        "<ProfileToken>p</ProfileToken>",
        "<ConfigurationToken>p</ConfigurationToken>",
    );
    let setup = |protocol: &str, token: &str| {
        format!(
            "<StreamSetup><Transport><Protocol>{protocol}</Protocol></Transport></StreamSetup><ProfileToken>{token}\
             </ProfileToken>"
        )
    };
    let (over_http, over_udp, over_odd, nowhere) = (
        setup("HTTP", "p"),
        setup("UDP", "r"),
        setup("odd", "p"),
        setup("RTSP", "s"),
    );
    let operations = [
        (0, "GetSystemDateAndTime", ""),
        (0, "GetDeviceInformation", ""),
        (0, "GetServices", ""),
        (0, "GetServiceCapabilities", ""),
        (0, "GetCapabilities", ""),
        (0, "GetCapabilities-media", "<Category>Media</Category>"),
        (0, "GetCapabilities-fault", "<Category>PTZ</Category>"),
        (0, "GetScopes", ""),
        (0, "GetHostname", ""),
        (0, "GetNetworkInterfaces", ""),
        (0, "GetNetworkProtocols", ""),
        (0, "GetDiscoveryMode", ""),
        (65, "GetDiscoveryMode-off", ""),
        (0, "GetEndpointReference", ""),
        (0, "GetWsdlUrl", ""),
        (0, "SystemReboot-fault", ""),
        (1, "GetServiceCapabilities-1", ""),
        (1, "GetProfile", profile),
        (1, "GetProfile-fault", "<ProfileToken>q</ProfileToken>"),
        (1, "GetVideoSources", ""),
        (1, "GetAudioSources", ""),
        (1, "GetVideoSourceConfigurations", ""),
        (1, "GetVideoEncoderConfigurations", ""),
        (1, "GetAudioSourceConfigurations", ""),
        (1, "GetAudioEncoderConfigurations", ""),
        (1, "GetCompatibleVideoSourceConfigurations", profile),
        (1, "GetCompatibleVideoEncoderConfigurations", profile),
        (1, "GetCompatibleAudioSourceConfigurations", profile),
        (1, "GetCompatibleAudioEncoderConfigurations", profile),
        (1, "GetVideoSourceConfiguration", configuration),
        (1, "GetVideoEncoderConfiguration", configuration),
        (1, "GetAudioSourceConfiguration", configuration),
        (1, "GetAudioEncoderConfiguration", configuration),
        (
            1,
            "GetAudioEncoderConfiguration-fault",
            "<ConfigurationToken>s</ConfigurationToken>",
        ),
        (1, "GetVideoSourceConfigurationOptions", configuration),
        (161, "GetVideoSourceConfigurationOptions-fault", ""),
        (1, "GetVideoEncoderConfigurationOptions", profile),
        (1, "GetVideoEncoderConfigurationOptions-all", ""),
        (1, "GetAudioSourceConfigurationOptions", ""),
        (1, "GetAudioEncoderConfigurationOptions", ""),
        (
            1,
            "GetGuaranteedNumberOfVideoEncoderInstances",
            configuration,
        ),
        (1, "GetStreamUri-http", over_http.as_str()),
        (1, "GetStreamUri", over_udp.as_str()),
        (1, "GetStreamUri-fault", over_odd.as_str()),
        (1, "GetStreamUri-fault-nowhere", nowhere.as_str()),
        (1, "GetStreamUri-fault-args", profile),
        (1, "SetSynchronizationPoint", profile),
        (1, "GetOSDs-fault", ""),
        (2, "GetServiceCapabilities-2", ""),
        (
            2,
            "GetProfiles-2",
            "<Type>VideoSource</Type><Type>AudioEncoder</Type>",
        ),
        (2, "GetProfiles-fault", "<Token>x</Token>"),
        (2, "GetVideoSourceConfigurations-2", profile),
        (2, "GetVideoEncoderConfigurations-2", configuration),
        (2, "GetAudioSourceConfigurations-2", ""),
        (2, "GetAudioEncoderConfigurations-2", ""),
        (2, "GetVideoSourceConfigurationOptions-2", ""),
        (2, "GetVideoEncoderConfigurationOptions-2", ""),
        (2, "GetAudioEncoderConfigurationOptions-2", ""),
        (2, "GetVideoEncoderInstances", configuration),
        (2, "GetVideoEncoderInstances-fault", ""),
        (
            2,
            "GetStreamUri-2",
            "<Protocol>RtspUnicast</Protocol><ProfileToken>q</ProfileToken>",
        ),
        (2, "SetSynchronizationPoint-2", profile),
        (2, "GetMasks-fault", ""),
        (3, "GetNodes-fault", ""),
    ];
    let mut seeds: Vec<_> = operations
        .into_iter()
        .map(|(service, name, parameters)| {
            let operation = name.split('-').next().unwrap_or(name);
            let body = format!("<{operation}>{parameters}</{operation}>");
            ("device", name, request(service, "", &body))
        })
        .collect();
    // By its namespace, whatever the address.
    let named = "<GetProfiles xmlns='http://www.onvif.org/ver20/media/wsdl/'><Type>All</Type></GetProfiles>";
    let services = "<GetServices><IncludeCapability>true</IncludeCapability></GetServices>";
    let times: [(&str, &[u8]); 7] = [
        ("proof", &[0xf0, 0, 20, 0, b'n']),
        ("proof-ahead", &[0xf0, 0, 21, 0, b'n']),
        ("proof-old", &[0xf0, 2, 90, 0, b'n']),
        ("proof-east", &[0xf0, 0, 20, 31, b'n']),
        ("proof-west", &[0xf0, 0, 20, 32, b'n']),
        ("proof-time", b"\xf0\0\0\x802004-01-10T13:37:04.5+15:00"),
        ("proof-day", b"\xf0\0\0\x802004-01-10T24:00:00"),
    ];
    seeds.extend(times.map(|(name, data)| ("device", name, data.to_vec())));
    seeds.extend([
        (
            "device",
            "GetProfiles",
            request(1, login, "<t:GetProfiles xmlns:t='x'/>"),
        ),
        (
            "device",
            "GetProfiles-told",
            request(
                2,
                &login.replace("Digest'", "Text'"),
                "<GetProfiles><Token>p</Token><Type>All</Type></GetProfiles>",
            ),
        ),
        ("device", "GetProfiles-named", request(0, login, named)),
        ("device", "GetServices-all", request(0, "", services)),
        ("device", "none-fault-two", request(0, "", "<a/><b/>")),
        ("device", "none-fault-xml", b"\0no XML".to_vec()),
    ]);
    seeds
}

/// What cameras answer.
fn cameras() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let service = |version: u8, name: &str| {
        format!(
            "<Service><Namespace>http://www.onvif.org/ver{version}/{name}/wsdl</Namespace><XAddr>http://10.0.0.1/{name}\
             </XAddr></Service>"
        )
    };
    let services = [(10, "media"), (20, "ptz"), (20, "imaging"), (10, "events")];
    let services: String = services
        .map(|(version, name)| service(version, name))
        .concat();
    let clock = "<R><SystemDateAndTime><UTCDateTime><Time><Hour>1</Hour><Minute>2</Minute><Second>3</Second></Time>\
        <Date><Year>2026</Year><Month>11</Month><Day>27</Day></Date></UTCDateTime></SystemDateAndTime></R>";
    let range = "<URI>Generic</URI><XRange><Min>-1</Min><Max>1</Max></XRange><YRange><Min>-1</Min><Max>1</Max></YRange>";
    let bodies = [
        clock.to_owned(),
        format!("<R>{services}</R>"),
        "<R><Profiles token='p'><Name>n</Name><VideoSourceConfiguration><SourceToken>v</SourceToken>\
            </VideoSourceConfiguration><VideoEncoderConfiguration token='e'><Name>n</Name><Encoding>H264</Encoding>\
            <Resolution><Width>640</Width><Height>360</Height></Resolution><Quality>4.5</Quality><RateControl>\
            <FrameRateLimit>25</FrameRateLimit><BitrateLimit>4096</BitrateLimit></RateControl><H264><GovLength>50\
            </GovLength><H264Profile>High</H264Profile></H264><Multicast><Address><IPv4Address>239.1.2.3</IPv4Address>\
            </Address><Port>9000</Port><TTL>3</TTL><AutoStart>true</AutoStart></Multicast><SessionTimeout>PT30S\
            </SessionTimeout></VideoEncoderConfiguration><AudioEncoderConfiguration><Encoding>G711</Encoding>\
            </AudioEncoderConfiguration><PTZConfiguration token='z'/></Profiles><Profiles/></R>"
            .to_owned(),
        "<R><MediaUri><Uri>rtsp://10.0.0.1:554/1</Uri></MediaUri></R>".to_owned(),
        format!(
            "<R><PTZConfigurationOptions><Spaces><ContinuousPanTiltVelocitySpace>{range}\
             </ContinuousPanTiltVelocitySpace></Spaces></PTZConfigurationOptions></R>"
        ),
        "<R><NotificationMessage><Topic>a:b/c</Topic><Message><Message UtcTime='t'><Data><SimpleItem Name='a' \
            Value='b'/></Data></Message></Message></NotificationMessage></R>"
            .to_owned(),
        "<R><ImagingSettings><Brightness>1</Brightness></ImagingSettings></R>".to_owned(),
        "<R><NetworkInterfaces><IPv4><Config><Manual><Address>10.0.0.1</Address></Manual></Config></IPv4>\
            </NetworkInterfaces></R>"
            .to_owned(),
        "<R><Manufacturer>M</Manufacturer></R>".to_owned(),
    ];
    let done = "<R/>";
    let media2 = service(20, "media");
    let more = [
        // An encoder and a lens are set, and it is moved in three ways.
        done,
        done,
        done,
        done,
        done,
        "<R><MediaUri><Uri>http://10.0.0.1/Digest realm=\"r\", nonce=\"n\"</Uri></MediaUri></R>",
        "<R><Preset token='1'><Name>Gate</Name></Preset><Preset/></R>",
        "<R><PresetToken>2</PresetToken></R>",
        done,
        "<R><PTZStatus><Position><PanTilt x='0.5' y='-1'/><Zoom x='nan'/></Position><MoveStatus><PanTilt>MOVING</PanTilt>\
            <Zoom>IDLE</Zoom></MoveStatus></PTZStatus></R>",
        done,
        done,
        done,
        done,
        done,
        "<R><SubscriptionReference><Address>http://10.0.0.1:99/events/1?x=y</Address></SubscriptionReference></R>",
        done,
        "<R><User><Username>admin</Username><UserLevel>Administrator</UserLevel></User><User/></R>",
        "<R><Message>Rebooting</Message></R>",
        clock,
    ];
    let responses = |all: &[(u8, &str)]| {
        let all = all.iter();
        let all = all.map(|(kind, body)| [&[*kind][..], &envelope(body)].concat());
        all.collect::<Vec<_>>().join(&SEPARATOR)
    };
    let usual: Vec<_> = bodies.iter().map(String::as_str).chain(more).collect();
    let with = |from: usize, changed: &[(u8, &str)]| {
        let good = usual.iter().skip(from).map(|body| (3, *body));
        let all: Vec<_> = changed.iter().copied().chain(good).collect();
        responses(&all)
    };
    let fault = |code: &str, words: &str| {
        format!(
            "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:{code}</s:Value></s:Subcode></s:Code>\
             <s:Reason><s:Text>{words}</s:Text></s:Reason></s:Fault>"
        )
    };
    let unauthorized = fault("NotAuthorized", "");
    let by_words = fault("InvalidArgVal", "Authority failure");
    let unknown = fault("ActionNotSupported", "no");
    let old =
        "<Fault><faultcode>SOAP-ENV:Client</faultcode><faultstring>no way</faultstring></Fault>";
    let new_services = format!("<R>{media2}{}</R>", service(10, "media"));
    let new_profiles = "<R><Profiles token='p'><Name>n</Name><Configurations><VideoSource><SourceToken>v</SourceToken>\
        </VideoSource><VideoEncoder token='e' GovLength='50' Profile='Main'><Encoding>H265</Encoding><Resolution>\
        <Width>640</Width><Height>360</Height></Resolution><RateControl><FrameRateLimit>29.97</FrameRateLimit>\
        </RateControl></VideoEncoder><AudioEncoder><Encoding>PCMU</Encoding></AudioEncoder><PTZ token='z'/>\
        </Configurations></Profiles></R>";
    let capabilities = "<R><Capabilities><Device><XAddr>http://10.0.0.1/d</XAddr></Device><Media><XAddr>/m</XAddr></Media><PTZ>\
        <XAddr>http://u:p@10.0.0.1/p#x</XAddr></PTZ><Extension><Media2><XAddr>http://10.0.0.1/m2</XAddr></Media2></Extension>\
        </Capabilities></R>";
    let spaces = "<R><PTZConfigurationOptions><Spaces><AbsolutePanTiltPositionSpace><URI>Spherical</URI>\
        </AbsolutePanTiltPositionSpace><AbsolutePanTiltPositionSpace><URI>Generic</URI><XRange><Min>-1.7e308</Min>\
        <Max>1.7e308</Max></XRange></AbsolutePanTiltPositionSpace><AbsoluteZoomPositionSpace><XRange><Min>0</Min>\
        <Max>1</Max></XRange></AbsoluteZoomPositionSpace><RelativeZoomTranslationSpace><URI>x</URI>\
        </RelativeZoomTranslationSpace></Spaces></PTZConfigurationOptions></R>";
    let late = clock.replace("2026", "1970");
    let uri = "<R><Uri>rtsp://u:p@[fe80::1]:554/1</Uri></R>";
    vec![
        ("session", "camera", with(0, &[])),
        (
            "session",
            "digest",
            [&[0, SEPARATOR][..], &with(0, &[])].concat(),
        ),
        (
            "session",
            "challenge",
            [
                b"\x08Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\xff",
                &with(0, &[])[..],
            ]
            .concat(),
        ),
        // Without a password: the clock is not all, but the rest is not told either.
        (
            "session",
            "nobody",
            with(
                1,
                &[(0x80, done), (3, &services_of(&services)), (0x40, done)],
            ),
        ),
        // Each way to show it is tried, with its clock and ours; then the next question begins anew.
        (
            "session",
            "refused",
            with(
                0,
                &[
                    (4, &unauthorized),
                    (4, &by_words),
                    (3, &services_of(&services)),
                    (4, &unauthorized),
                    (3, clock),
                    (3, &services_of(&services)),
                    (4, &unauthorized),
                    (4, &unauthorized),
                ],
            ),
        ),
        // It has been restarted, and asks again.
        (
            "session",
            "restarted",
            with(
                3,
                &[
                    (3, clock),
                    (3, &services_of(&services)),
                    (3, usual.get(2).copied().unwrap_or_default()),
                    (4, &unauthorized),
                    (3, &late),
                    (3, &services_of(&services)),
                ],
            ),
        ),
        // Version 2 of the media service, and one that is named only.
        (
            "session",
            "media2",
            with(
                4,
                &[(3, clock), (3, &new_services), (3, new_profiles), (3, uri)],
            ),
        ),
        (
            "session",
            "media2-empty",
            with(2, &[(3, clock), (3, &new_services), (3, done)]),
        ),
        (
            "session",
            "media2-named",
            with(2, &[(3, clock), (3, &new_services), (1, &unknown)]),
        ),
        (
            "session",
            "capabilities",
            with(2, &[(2, "no clock"), (1, &unknown), (3, capabilities)]),
        ),
        (
            "session",
            "spaces",
            with(
                5,
                &[
                    (3, clock),
                    (3, &services_of(&services)),
                    (3, "<R/>"),
                    (3, "<R/>"),
                    (3, spaces),
                ],
            ),
        ),
        // Faults of both versions, pages of something else, and nothing.
        (
            "session",
            "faults",
            [
                &with(
                    9,
                    &[
                        (3, clock),
                        (3, &services_of(&services)),
                        (1, &unknown),
                        (2, old),
                    ],
                )[..],
                b"\xff\x03<html/>\xff\x03 \xff\x03no XML\xff\x03<a\xff\x01no XML\xff\x01",
            ]
            .concat(),
        ),
        (
            "session",
            "pages",
            [
                &responses(&[(3, clock), (3, &services_of(&services))])[..],
                b"\xff\x03<html/>\xff\x03 \xff\x03no XML\xff\x03<a\xff\x01no XML\xff\x01",
            ]
            .concat(),
        ),
    ]
}

fn services_of(services: &str) -> String {
    format!("<R>{services}</R>")
}
