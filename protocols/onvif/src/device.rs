//! The device service (ONVIF Core Specification section 8): clock, services, what the device is, and its restart.

use crate::Error;
use crate::operation::{Operation, missing};
use crate::service::{Service, Services};
use crate::xml::Element;
use std::time::{Duration, SystemTime};

/// The time of the camera's clock (section 8.3.6), which needs no password.
#[derive(Clone, Copy, Debug)]
pub struct GetSystemDateAndTime;

impl Operation for GetSystemDateAndTime {
    /// None where it does not tell.
    type Answer = Option<SystemTime>;

    fn name(&self) -> &'static str {
        "GetSystemDateAndTime"
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<Self::Answer, Error> {
        let told = answer.child("SystemDateAndTime").unwrap_or(answer);
        // Where there is no UTC, the local time is the best that there is.
        let time = told.child("UTCDateTime");
        Ok(time
            .or_else(|| told.child("LocalDateTime"))
            .and_then(time_of))
    }
}

fn time_of(element: &Element) -> Option<SystemTime> {
    let number = |path: &[&str]| element.value_at::<u64>(path);
    let year = number(&["Date", "Year"]).filter(|year| (1970..=9999).contains(year))?;
    let month = number(&["Date", "Month"]).filter(|month| (1..=12).contains(month))?;
    let day = number(&["Date", "Day"]).filter(|day| (1..=31).contains(day))?;
    let hour = number(&["Time", "Hour"]).filter(|hour| *hour <= 24)?;
    let minute = number(&["Time", "Minute"]).filter(|minute| *minute < 60)?;
    let second = number(&["Time", "Second"]).filter(|second| *second <= 60)?;
    instant([year, month, day], [hour, minute, second])
}

/// A time of the calendar, from 1970 on, of numbers that are in their ranges.
pub(crate) fn instant([year, month, day]: [u64; 3], time: [u64; 3]) -> Option<SystemTime> {
    let [hour, minute, second] = time;
    // Days since 1970-01-01, with years that begin in March so that the leap day is their last.
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Where the services are (section 8.1.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct GetServices;

impl Operation for GetServices {
    type Answer = Services;

    fn name(&self) -> &'static str {
        "GetServices"
    }

    fn parameters(&self, _: &Services) -> String {
        "<IncludeCapability>false</IncludeCapability>".to_owned()
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<Services, Error> {
        let mut services = Services::default();
        for element in answer.all("Service") {
            let namespace = element.text_at(&["Namespace"]).and_then(Service::of);
            if let Some((service, place)) = namespace.zip(element.text_at(&["XAddr"])) {
                services.insert(service, place);
            }
        }
        Ok(services)
    }
}

/// The same as older devices tell it (section 8.1.2.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct GetCapabilities;

impl Operation for GetCapabilities {
    type Answer = Services;

    fn name(&self) -> &'static str {
        "GetCapabilities"
    }

    fn parameters(&self, _: &Services) -> String {
        "<Category>All</Category>".to_owned()
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<Services, Error> {
        let all = [
            ("Device", Service::Device),
            ("Media", Service::Media),
            ("PTZ", Service::Ptz),
            ("Imaging", Service::Imaging),
            ("Events", Service::Events),
        ];
        let mut services = Services::default();
        for (name, service) in all {
            if let Some(place) = answer.text_at(&["Capabilities", name, "XAddr"]) {
                services.insert(service, place);
            }
        }
        let media2 = ["Capabilities", "Extension", "Media2", "XAddr"];
        if let Some(place) = answer.text_at(&media2) {
            services.insert(Service::Media2, place);
        }
        Ok(services)
    }
}

/// What the device is (section 8.3.1).
#[derive(Clone, Copy, Debug)]
pub struct GetDeviceInformation;

/// Who made a device, and which it is. Empty where it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Information {
    /// Maker.
    pub manufacturer: String,
    /// Model.
    pub model: String,
    /// Version of its software.
    pub firmware: String,
    /// Its number, unique for the maker.
    pub serial_number: String,
    /// Version of its hardware.
    pub hardware: String,
}

impl Operation for GetDeviceInformation {
    type Answer = Information;

    fn name(&self) -> &'static str {
        "GetDeviceInformation"
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<Information, Error> {
        let text = |name| answer.text_at(&[name]).unwrap_or_default().to_owned();
        Ok(Information {
            manufacturer: text("Manufacturer"),
            model: text("Model"),
            firmware: text("FirmwareVersion"),
            serial_number: text("SerialNumber"),
            hardware: text("HardwareId"),
        })
    }
}

/// Restarts the device (section 8.3.5).
#[derive(Clone, Copy, Debug)]
pub struct SystemReboot;

impl Operation for SystemReboot {
    /// What it says of it.
    type Answer = String;

    fn name(&self) -> &'static str {
        "SystemReboot"
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<String, Error> {
        Ok(answer.text_at(&["Message"]).unwrap_or_default().to_owned())
    }
}

/// The accounts of the device (section 8.4.3); passwords are not told.
#[derive(Clone, Copy, Debug)]
pub struct GetUsers;

impl Operation for GetUsers {
    /// Names and levels, such as `Administrator`.
    type Answer = Vec<(String, String)>;

    fn name(&self) -> &'static str {
        "GetUsers"
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<Self::Answer, Error> {
        let user = |user: &Element| {
            let text = |name| user.text_at(&[name]).map(str::to_owned);
            text("Username").map(|name| (name, text("UserLevel").unwrap_or_default()))
        };
        Ok(answer.all("User").filter_map(user).collect())
    }
}

/// The network interfaces of the device (section 8.2.4).
#[derive(Clone, Copy, Debug)]
pub struct GetNetworkInterfaces;

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// What the device calls it.
    pub name: String,
    /// Its hardware address.
    pub hardware: String,
    /// Its addresses, as `ADDRESS/PREFIX`.
    pub addresses: Vec<String>,
    /// Whether the address is assigned by DHCP.
    pub dhcp: bool,
}

impl Operation for GetNetworkInterfaces {
    type Answer = Vec<Interface>;

    fn name(&self) -> &'static str {
        "GetNetworkInterfaces"
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<Self::Answer, Error> {
        let interface = |element: &Element| {
            let text = |path: &[&str]| element.text_at(path).unwrap_or_default().to_owned();
            let mut interface = Interface {
                name: text(&["Info", "Name"]),
                hardware: text(&["Info", "HwAddress"]),
                ..Interface::default()
            };
            for config in ["IPv4", "IPv6"]
                .iter()
                .filter_map(|v| element.at(&[v, "Config"]))
            {
                interface.dhcp |= config.value_at(&["DHCP"]) == Some(true);
                for name in ["Manual", "FromDHCP", "LinkLocal"] {
                    interface
                        .addresses
                        .extend(config.all(name).filter_map(|found| {
                            let address = found.text_at(&["Address"])?;
                            let prefix = found.text_at(&["PrefixLength"]).unwrap_or("32");
                            Some(format!("{address}/{prefix}"))
                        }));
                }
            }
            interface
        };
        let all: Vec<_> = answer.all("NetworkInterfaces").map(interface).collect();
        match all.is_empty() {
            true => Err(missing(self.name(), "NetworkInterfaces")),
            false => Ok(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::DateTime;

    #[test]
    fn times_of_the_calendar() {
        let cases = [
            ((1970, 1, 1, 0, 0, 0), Some("1970-01-01T00:00:00.000Z")),
            ((2000, 2, 29, 23, 59, 60), Some("2000-03-01T00:00:00.000Z")),
            ((2026, 11, 27, 11, 30, 5), Some("2026-11-27T11:30:05.000Z")),
            ((9999, 12, 31, 23, 59, 59), Some("9999-12-31T23:59:59.000Z")),
            ((1969, 1, 1, 0, 0, 0), None),
            ((2026, 13, 1, 0, 0, 0), None),
            ((2026, 0, 1, 0, 0, 0), None),
        ];
        for ((year, month, day, hour, minute, second), expected) in cases {
            let text = format!(
                "<R><SystemDateAndTime><UTCDateTime><Time><Hour>{hour}</Hour><Minute>{minute}</Minute>\
                 <Second>{second}</Second></Time><Date><Year>{year}</Year><Month>{month}</Month><Day>{day}</Day>\
                 </Date></UTCDateTime></SystemDateAndTime></R>"
            );
            let element = Element::parse(&text).unwrap();
            let time = GetSystemDateAndTime.read(&element, &Services::default());
            let found = time.unwrap().map(|time| DateTime(time).to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
