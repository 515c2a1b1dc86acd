//! Answers of the device service (ONVIF Core Specification section 8).

use super::text::joined;
use super::{Device, Fault, SERVICES, media1, media2};
use crate::Service;
use crate::device::Interface;
use crate::xml::{Element, escape};
use ::media::DateTime;

/// The version of ONVIF's specifications that is followed.
const VERSION: &str = "<tt:Major>20</tt:Major><tt:Minor>12</tt:Minor>";

pub(super) fn answer(operation: &Element, device: &Device) -> Result<String, Fault> {
    Ok(match operation.name.as_str() {
        "GetSystemDateAndTime" => clock(device),
        "GetDeviceInformation" => information(device),
        "GetServices" => services(operation, device),
        "GetServiceCapabilities" => capabilities("r"),
        "GetCapabilities" => old_capabilities(operation, device)?,
        "GetScopes" => joined(device.scopes.iter().map(|scope| {
            format!(
                "<r:Scopes><tt:ScopeDef>Fixed</tt:ScopeDef><tt:ScopeItem>{}</tt:ScopeItem></r:Scopes>",
                escape(scope)
            )
        })),
        "GetHostname" => format!(
            "<r:HostnameInformation><tt:FromDHCP>false</tt:FromDHCP><tt:Name>{}</tt:Name></r:HostnameInformation>",
            escape(&device.host)
        ),
        "GetNetworkInterfaces" => joined(device.interfaces.iter().map(interface)),
        "GetNetworkProtocols" => protocols(device),
        "GetDiscoveryMode" => {
            let mode = if device.is_discoverable { "Discoverable" } else { "NonDiscoverable" };
            format!("<r:DiscoveryMode>{mode}</r:DiscoveryMode>")
        }
        "GetEndpointReference" => format!("<r:GUID>{}</r:GUID>", escape(&device.reference)),
        "GetWsdlUrl" => "<r:WsdlUrl>https://www.onvif.org/ver10/device/wsdl/devicemgmt.wsdl</r:WsdlUrl>".to_owned(),
        _ => return Err(Fault::ActionNotSupported),
    })
}

fn clock(device: &Device) -> String {
    // As `2026-11-27T11:30:05.000Z`.
    let text = DateTime(device.now).to_string();
    let part = |from: usize, to: usize| -> u32 {
        let digits = text.get(from..to).unwrap_or_default();
        digits.parse().unwrap_or_default()
    };
    let time = format!(
        "<tt:Time><tt:Hour>{}</tt:Hour><tt:Minute>{}</tt:Minute><tt:Second>{}</tt:Second></tt:Time>\
         <tt:Date><tt:Year>{}</tt:Year><tt:Month>{}</tt:Month><tt:Day>{}</tt:Day></tt:Date>",
        part(11, 13),
        part(14, 16),
        part(17, 19),
        part(0, 4),
        part(5, 7),
        part(8, 10)
    );
    format!(
        "<r:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings>\
         <tt:TimeZone><tt:TZ>UTC0</tt:TZ></tt:TimeZone><tt:UTCDateTime>{time}</tt:UTCDateTime>\
         <tt:LocalDateTime>{time}</tt:LocalDateTime></r:SystemDateAndTime>"
    )
}

fn information(device: &Device) -> String {
    let information = &device.information;
    let parts = [
        ("Manufacturer", &information.manufacturer),
        ("Model", &information.model),
        ("FirmwareVersion", &information.firmware),
        ("SerialNumber", &information.serial_number),
        ("HardwareId", &information.hardware),
    ];
    joined(parts.map(|(name, value)| format!("<r:{name}>{}</r:{name}>", escape(value))))
}

fn services(operation: &Element, device: &Device) -> String {
    let with_capabilities = operation.value_at(&["IncludeCapability"]) == Some(true);
    joined(SERVICES.map(|service| {
        let namespace = service.namespace();
        let told = match service {
            Service::Media => media1::capabilities("c"),
            Service::Media2 => media2::capabilities("c"),
            _ => capabilities("c"),
        };
        let told = match with_capabilities {
            true => format!("<r:Capabilities xmlns:c=\"{namespace}\">{told}</r:Capabilities>"),
            false => String::new(),
        };
        format!(
            "<r:Service><r:Namespace>{namespace}</r:Namespace><r:XAddr>{}</r:XAddr>{told}<r:Version>{VERSION}</r:Version>\
             </r:Service>",
            escape(&device.address(service))
        )
    }))
}

/// What the device service can do, as an element of this prefix.
fn capabilities(p: &str) -> String {
    format!(
        "<{p}:Capabilities><{p}:Network IPFilter=\"false\" ZeroConfiguration=\"false\" IPVersion6=\"true\" \
         DynDNS=\"false\"/><{p}:Security TLS1.0=\"false\" TLS1.1=\"false\" TLS1.2=\"false\" \
         OnboardKeyGeneration=\"false\" AccessPolicyConfig=\"false\" X.509Token=\"false\" SAMLToken=\"false\" \
         KerberosToken=\"false\" UsernameToken=\"true\" HttpDigest=\"true\" RELToken=\"false\"/>\
         <{p}:System DiscoveryResolve=\"true\" DiscoveryBye=\"true\" RemoteDiscovery=\"false\" SystemBackup=\"false\" \
         SystemLogging=\"false\" HttpFirmwareUpgrade=\"false\"/></{p}:Capabilities>"
    )
}

/// The same as older clients ask for it.
fn old_capabilities(operation: &Element, device: &Device) -> Result<String, Fault> {
    let wanted: Vec<_> = operation
        .all("Category")
        .map(|category| category.text.as_str())
        .collect();
    let is_wanted =
        |name: &str| wanted.is_empty() || wanted.contains(&"All") || wanted.contains(&name);
    let mut all = String::new();
    if is_wanted("Device") {
        all += &format!(
            "<tt:Device><tt:XAddr>{}</tt:XAddr><tt:Network><tt:IPFilter>false</tt:IPFilter>\
             <tt:ZeroConfiguration>false</tt:ZeroConfiguration><tt:IPVersion6>true</tt:IPVersion6>\
             <tt:DynDNS>false</tt:DynDNS></tt:Network><tt:System><tt:DiscoveryResolve>true</tt:DiscoveryResolve>\
             <tt:DiscoveryBye>true</tt:DiscoveryBye><tt:RemoteDiscovery>false</tt:RemoteDiscovery>\
             <tt:SystemBackup>false</tt:SystemBackup><tt:SystemLogging>false</tt:SystemLogging>\
             <tt:FirmwareUpgrade>false</tt:FirmwareUpgrade><tt:SupportedVersions>{VERSION}</tt:SupportedVersions>\
             </tt:System></tt:Device>",
            escape(&device.address(Service::Device))
        );
    }
    if is_wanted("Media") {
        all += &format!(
            "<tt:Media><tt:XAddr>{}</tt:XAddr><tt:StreamingCapabilities><tt:RTPMulticast>false</tt:RTPMulticast>\
             <tt:RTP_TCP>true</tt:RTP_TCP><tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP></tt:StreamingCapabilities></tt:Media>",
            escape(&device.address(Service::Media))
        );
    }
    match all.is_empty() {
        true => Err(Fault::NoSuchService),
        false => Ok(format!("<r:Capabilities>{all}</r:Capabilities>")),
    }
}

fn interface(interface: &Interface) -> String {
    let (name, hardware) = (escape(&interface.name), escape(&interface.hardware));
    let addresses = |is_v6: bool| {
        let all = interface
            .addresses
            .iter()
            .filter_map(|text| text.split_once('/'));
        let all = all.filter(move |(address, _)| address.contains(':') == is_v6);
        joined(all.map(|(address, prefix)| {
            format!(
                "<tt:Manual><tt:Address>{}</tt:Address><tt:PrefixLength>{}</tt:PrefixLength></tt:Manual>",
                escape(address),
                escape(prefix)
            )
        }))
    };
    let (v4, v6) = (addresses(false), addresses(true));
    let v4 = match v4.is_empty() {
        true => v4,
        false => format!(
            "<tt:IPv4><tt:Enabled>true</tt:Enabled><tt:Config>{v4}<tt:DHCP>false</tt:DHCP></tt:Config></tt:IPv4>"
        ),
    };
    let v6 = match v6.is_empty() {
        true => v6,
        false => format!(
            "<tt:IPv6><tt:Enabled>true</tt:Enabled><tt:Config><tt:DHCP>Off</tt:DHCP>{v6}</tt:Config></tt:IPv6>"
        ),
    };
    format!(
        "<r:NetworkInterfaces token=\"{name}\"><tt:Enabled>true</tt:Enabled><tt:Info><tt:Name>{name}</tt:Name>\
         <tt:HwAddress>{hardware}</tt:HwAddress></tt:Info>{v4}{v6}</r:NetworkInterfaces>"
    )
}

fn protocols(device: &Device) -> String {
    let [http, rtsp] = device.ports;
    let all = [("HTTP", http), ("RTSP", rtsp)];
    let open = all
        .into_iter()
        .filter_map(|(name, port)| Some((name, port?)));
    joined(open.map(|(name, port)| {
        format!(
            "<r:NetworkProtocols><tt:Name>{name}</tt:Name><tt:Enabled>true</tt:Enabled><tt:Port>{port}</tt:Port>\
             </r:NetworkProtocols>"
        )
    }))
}
