//! The functions that exist, what each is given, and calls of them. `help` shows this table, and every call is checked
//! by it.

use super::Result;
use super::command::Command;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Longest value of a parameter, in bytes.
const MAX_VALUE: usize = 8_192;

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// `0`, `1`, `false`, `true`.
    Flag,
    Number,
}

#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    kind: Kind,
    /// What holds where it is not given; none where it has to be.
    default: Option<&'static str>,
    text: &'static str,
}

#[derive(Debug)]
pub(super) struct Function {
    name: &'static str,
    text: &'static str,
    pub(super) parameters: &'static [Parameter],
}

const fn needed(name: &'static str, kind: Kind, text: &'static str) -> Parameter {
    Parameter {
        name,
        kind,
        default: None,
        text,
    }
}

const fn optional(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    text: &'static str,
) -> Parameter {
    Parameter {
        name,
        kind,
        default: Some(default),
        text,
    }
}

use Kind::{Flag, Number, Text};

/// What a push is said to be where nothing is said. It is not sent.
const PUSH_AGENT: &str = "EvoStream Media Server (www.evostream.com)";

const KEEP: Parameter = optional(
    "keepAlive",
    Flag,
    "1",
    "1 tries again for ever and is kept over a restart; 0 tries once and forgets",
);
const TC_URL: Parameter = optional("tcUrl", Text, "", "tcUrl of the connect command of RTMP");
const PAGE_URL: Parameter = optional(
    "pageUrl",
    Text,
    "",
    "pageUrl of the connect command of RTMP",
);
const SWF_URL: Parameter = optional("swfUrl", Text, "", "swfUrl of the connect command of RTMP");
const TTL: Parameter = optional(
    "ttl",
    Number,
    "256",
    "Time to live of IP packets; 256 leaves it to the system",
);
const TOS: Parameter = optional(
    "tos",
    Number,
    "256",
    "Type of service of IP packets; 256 leaves it to the system",
);
const FORCE_TCP: Parameter = optional(
    "forceTcp",
    Flag,
    "0",
    "RTSP on one connection, without datagrams",
);
const PROXY: Parameter = optional(
    "httpProxy",
    Text,
    "",
    "RTSP within HTTP: IP:PORT of a proxy, or self for the server itself",
);
const ID: Parameter = optional("id", Number, "0", "The uniqueId of the stream");
const LOCAL: Parameter = optional(
    "localStreamName",
    Text,
    "",
    "The name of the stream, in place of its ID",
);
const CONFIG: Parameter = needed("id", Number, "The configId");

/// What pushes are given.
pub(super) static PUSH: Function = Function {
    name: "pushStream",
    text: "Pushes a stream to another server whenever it is live",
    parameters: &[
        needed(
            "uri",
            Text,
            "Where to: rtmp, rtmps, rtsp, rtsps, srt, mpegtsudp, mpegtstcp",
        ),
        needed("localStreamName", Text, "The stream, which may come later"),
        KEEP,
        optional(
            "targetStreamName",
            Text,
            "",
            "Its name there; the local name unless told otherwise",
        ),
        optional(
            "targetStreamType",
            Text,
            "live",
            "live, record or append; for RTMP",
        ),
        TC_URL,
        PAGE_URL,
        SWF_URL,
        TTL,
        TOS,
        optional(
            "emulateUserAgent",
            Text,
            PUSH_AGENT,
            "What RTMP servers are told that we are",
        ),
        optional(
            "rtmpAbsoluteTimestamps",
            Flag,
            "0",
            "Times of RTMP do not begin at 0",
        ),
        optional(
            "sendChunkSizeRequest",
            Flag,
            "1",
            "RTMP makes its chunks larger than they are at first",
        ),
        optional(
            "useSourcePts",
            Flag,
            "0",
            "Times of RTMP are those of the source",
        ),
        PROXY,
        FORCE_TCP,
    ],
};

/// What pulls are given.
pub(super) static PULL: Function = Function {
    name: "pullStream",
    text: "Pulls a stream from another server",
    parameters: &[
        needed(
            "uri",
            Text,
            "Where from: everything that a stream source takes",
        ),
        optional(
            "localStreamName",
            Text,
            "",
            "Its name here; one is made up unless told",
        ),
        KEEP,
        FORCE_TCP,
        TC_URL,
        PAGE_URL,
        SWF_URL,
        TTL,
        TOS,
        optional(
            "emulateUserAgent",
            Text,
            "EvoStream Media Server (www.evostream.com) player",
            "What RTMP servers are told that we are",
        ),
        PROXY,
        optional(
            "rangeStart",
            Number,
            "-2",
            "Known, and without effect: what is pulled is live",
        ),
        optional("rangeEnd", Number, "-1", "Known, and without effect"),
        optional(
            "rtcpDetectionInterval",
            Number,
            "10",
            "Known, and without effect",
        ),
        optional("sendRenewStream", Flag, "0", "Known, and without effect"),
        optional("isAudio", Flag, "1", "Known, and without effect"),
        optional("audioCodecBytes", Text, "", "Known, and without effect"),
        optional("spsBytes", Text, "", "Known, and without effect"),
        optional("ppsBytes", Text, "", "Known, and without effect"),
        optional(
            "ssmIp",
            Text,
            "",
            "The one sender of a group that is listened to",
        ),
    ],
};

/// All of them.
static FUNCTIONS: [&Function; 15] = [
    &PUSH,
    &PULL,
    &Function {
        name: "listStreams",
        text: "The streams that are live, in and out",
        parameters: &[optional(
            "disableInternalStreams",
            Flag,
            "1",
            "Known, and without effect",
        )],
    },
    &Function {
        name: "listStreamsIds",
        text: "The uniqueIds of the streams that are live",
        parameters: &[],
    },
    &Function {
        name: "getStreamInfo",
        text: "One stream that is live",
        parameters: &[ID, LOCAL],
    },
    &Function {
        name: "getStreamsCount",
        text: "How many streams are live, in and out",
        parameters: &[],
    },
    &Function {
        name: "isStreamRunning",
        text: "Whether a stream is live",
        parameters: &[ID, LOCAL],
    },
    &Function {
        name: "shutdownStream",
        text: "Ends a stream, in or out",
        parameters: &[
            ID,
            LOCAL,
            optional(
                "permanently",
                Flag,
                "1",
                "1 forgets its pull or push as well; 0 lets it begin again",
            ),
        ],
    },
    &Function {
        name: "listConfig",
        text: "Everything that is pulled and pushed, with how it fares",
        parameters: &[],
    },
    &Function {
        name: "getConfigInfo",
        text: "One pull or push, with how it fares",
        parameters: &[CONFIG],
    },
    &Function {
        name: "removeConfig",
        text: "Ends a pull or a push and forgets it",
        parameters: &[
            CONFIG,
            optional("removeHlsHdsFiles", Flag, "0", "Known, and without effect"),
        ],
    },
    &Function {
        name: "pauseConfig",
        text: "Lets a push stand still",
        parameters: &[CONFIG],
    },
    &Function {
        name: "resumeConfig",
        text: "Lets a push that stands still go on",
        parameters: &[CONFIG],
    },
    &Function {
        name: "version",
        text: "What this server is",
        parameters: &[],
    },
    &Function {
        name: "help",
        text: "The functions and their parameters",
        parameters: &[],
    },
];

/// A call of a function with everything that it needs, in the forms that are expected. Not `Debug`: it holds secrets.
pub(super) struct Call {
    function: &'static Function,
    given: BTreeMap<String, String>,
}

impl Call {
    /// Looks up function and parameters.
    pub(super) fn new(command: &Command) -> Result<Self> {
        let mut functions = FUNCTIONS.iter();
        let function = functions.find(|known| known.name.eq_ignore_ascii_case(&command.function));
        let function = *function.ok_or_else(|| {
            format!(
                "There is no function {:?}; help lists those that exist",
                shortened(&command.function)
            )
        })?;
        let mut given = BTreeMap::new();
        for (key, value) in &command.parameters {
            if value.len() > MAX_VALUE {
                return Err(format!(
                    "The value of {} is longer than {MAX_VALUE} bytes",
                    shortened(key)
                ));
            }
            if key.starts_with('_') {
                given.insert(key.clone(), value.clone());
                continue;
            }
            let mut parameters = function.parameters.iter();
            let parameter = parameters.find(|known| known.name.eq_ignore_ascii_case(key));
            let parameter = parameter.ok_or_else(|| {
                let names = function.parameters.iter().map(|parameter| parameter.name);
                let names: Vec<_> = names.collect();
                format!(
                    "{} has no parameter {:?}; it has: {}",
                    function.name,
                    shortened(key),
                    names.join(", ")
                )
            })?;
            given.insert(parameter.name.to_owned(), parameter.read(value)?);
        }
        let call = Self { function, given };
        for parameter in function.parameters {
            if parameter.default.is_none() && call.text(parameter.name).is_empty() {
                return Err(format!(
                    "{} needs the parameter {}",
                    function.name, parameter.name
                ));
            }
        }
        Ok(call)
    }

    /// What was said of something when it was asked for.
    pub(super) fn again(function: &'static Function, said: &BTreeMap<String, String>) -> Self {
        Self {
            function,
            given: said.clone(),
        }
    }

    /// The function's name.
    pub(super) const fn function(&self) -> &'static str {
        self.function.name
    }

    /// A text that was given, or what holds without one.
    pub(super) fn text(&self, name: &str) -> &str {
        let given = self.given.get(name).map(String::as_str);
        given.filter(|given| !given.is_empty()).unwrap_or_else(|| {
            let mut parameters = self.function.parameters.iter();
            let known = parameters.find(|known| known.name == name);
            known.and_then(|known| known.default).unwrap_or_default()
        })
    }

    /// A text that was given, if it was.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        let given = self.given.get(name).map(String::as_str);
        given.filter(|given| !given.is_empty())
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.text(name) == "1"
    }

    pub(super) fn number(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap_or_default()
    }

    /// Everything that was given, and variables of the caller's own.
    pub(super) const fn said(&self) -> &BTreeMap<String, String> {
        &self.given
    }

    /// Every parameter but the URI, with what holds.
    pub(super) fn object(&self) -> Map<String, Value> {
        let parameters = self.function.parameters.iter();
        let parameters = parameters.filter(|parameter| parameter.name != "uri");
        let known = parameters.map(|parameter| {
            let value = match parameter.kind {
                Text => Value::from(self.text(parameter.name)),
                Flag => Value::from(self.flag(parameter.name)),
                Number => Value::from(self.number(parameter.name)),
            };
            (parameter.name.to_owned(), value)
        });
        let own = self.given.iter().filter(|(key, _)| key.starts_with('_'));
        let own = own.map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        known.chain(own).collect()
    }
}

impl Parameter {
    /// The value in the one form that it is kept in.
    fn read(&self, value: &str) -> Result<String> {
        match (self.kind, value) {
            (Text, _) | (_, "") => Ok(value.to_owned()),
            (Flag, "0" | "1") => Ok(value.to_owned()),
            (Flag, _) if value.eq_ignore_ascii_case("true") => Ok("1".to_owned()),
            (Flag, _) if value.eq_ignore_ascii_case("false") => Ok("0".to_owned()),
            (Flag, _) => Err(format!("{} is 0 or 1", self.name)),
            (Number, _) => match value.parse::<i64>() {
                Ok(number) => Ok(number.to_string()),
                Err(_) => Err(format!("{} is a number", self.name)),
            },
        }
    }
}

/// What `help` says.
pub(super) fn help() -> Value {
    let parameter = |parameter: &Parameter| {
        json!({
            "defaultValue": parameter.default,
            "description": parameter.text,
            "mandatory": parameter.default.is_none(),
            "name": parameter.name,
        })
    };
    let function = |function: &&Function| {
        let parameters = function.parameters.iter().map(parameter);
        json!({
            "command": function.name,
            "deprecated": false,
            "description": function.text,
            "parameters": parameters.collect::<Vec<_>>(),
        })
    };
    FUNCTIONS.iter().map(function).collect()
}

/// So much of a name as is worth repeating.
fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(line: &str) -> Result<Call> {
        Call::new(&Command::parse(line.as_bytes()).ok().unwrap())
    }

    #[test]
    fn names_are_the_same_in_capitals_and_defaults_hold() {
        let call = call(
            "PUSHSTREAM URI=rtmp://a/b localstreamname=x keepalive=FALSE ttl=07 tcUrl= _mine=1",
        )
        .unwrap();
        assert_eq!(call.function(), "pushStream");
        assert_eq!(call.text("uri"), "rtmp://a/b");
        assert!(!call.flag("keepAlive") && call.flag("sendChunkSizeRequest"));
        assert_eq!((call.number("ttl"), call.number("tos")), (7, 256));
        assert_eq!((call.given("tcUrl"), call.given("tos")), (None, None));
        let object = call.object();
        assert_eq!(object["_mine"], "1");
        assert_eq!(object["targetStreamType"], "live");
        assert!(!object.contains_key("uri"));
        assert!(Call::again(&PUSH, call.said()).object() == object);
    }

    #[test]
    fn what_cannot_be_called_is_told_why() {
        for (line, words) in [
            (
                "push",
                "There is no function \"push\"; help lists those that exist",
            ),
            (
                "pushStream uri=a",
                "pushStream needs the parameter localStreamName",
            ),
            (
                "pushStream uri= localStreamName=x",
                "pushStream needs the parameter uri",
            ),
            ("removeConfig", "removeConfig needs the parameter id"),
            ("removeConfig id=x", "id is a number"),
            (
                "pushStream uri=a localStreamName=x keepAlive=2",
                "keepAlive is 0 or 1",
            ),
            (
                "getConfigInfo id=1 secret=x",
                "getConfigInfo has no parameter \"secret\"; it has: id",
            ),
        ] {
            assert_eq!(call(line).err().as_deref(), Some(words), "{line}");
        }
        let long = format!(
            "pushStream uri={} localStreamName=x",
            "a".repeat(MAX_VALUE + 1)
        );
        assert_eq!(
            call(&long).err().unwrap(),
            "The value of uri is longer than 8192 bytes"
        );
    }

    #[test]
    fn help_names_every_function_once() {
        let help = help();
        for function in FUNCTIONS {
            let entries = help.as_array().unwrap().iter();
            let own = entries.filter(|entry| entry["command"] == function.name);
            assert_eq!(own.count(), 1, "{}", function.name);
        }
    }
}
