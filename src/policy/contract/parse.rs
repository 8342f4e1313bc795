//! Reads the text form of contracts. Texts come from policy documents and
//! callers, never from a pickle.

use super::{ContractError, Kind, Signature};

/// How deep `list[list[…]]` may go: contracts look at direct items only.
const MAX_NESTING: usize = 2;

pub(super) fn signatures(text: &str) -> Result<Vec<Signature>, ContractError> {
    let mut cursor = Cursor { text, at: 0 };
    let mut found = vec![cursor.signature()?];
    while cursor.eat("|") {
        found.push(cursor.signature()?);
    }
    if cursor.rest().is_empty() {
        Ok(found)
    } else {
        cursor.fail("expected `|` or the end")
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let trimmed = rest.trim_start_matches(' ');
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Result<(), ContractError> {
        if self.eat(token) {
            Ok(())
        } else {
            self.fail(&format!("expected `{token}`"))
        }
    }

    fn fail<T>(&self, why: &str) -> Result<T, ContractError> {
        Err(ContractError {
            text: self.text.to_owned(),
            column: self.at + 1,
            why: why.to_owned(),
        })
    }

    fn signature(&mut self) -> Result<Signature, ContractError> {
        let mut signature = Signature::default();
        self.expect("(")?;
        if self.eat(")") {
            return Ok(signature);
        }
        loop {
            self.parameter(&mut signature)?;
            if self.eat(")") {
                return Ok(signature);
            }
            self.expect(",")?;
        }
    }

    fn parameter(&mut self, signature: &mut Signature) -> Result<(), ContractError> {
        self.rest();
        if signature.keywords.is_some() {
            return self.fail("nothing may follow `**`");
        }
        if self.eat("**") {
            signature.keywords = Some(self.kind(0)?);
        } else if signature.rest.is_some() {
            return self.fail("only `**` may follow `*`");
        } else if self.eat("*") {
            signature.rest = Some(self.kind(0)?);
        } else {
            let kind = self.kind(0)?;
            if self.eat("?") {
                signature.optional.push(kind);
            } else if signature.optional.is_empty() {
                signature.required.push(kind);
            } else {
                return self.fail("an argument after an optional one must be optional");
            }
        }
        Ok(())
    }

    fn kind(&mut self, nesting: usize) -> Result<Kind, ContractError> {
        let mut kinds = vec![self.single(nesting)?];
        while self.eat("|") {
            kinds.push(self.single(nesting)?);
        }
        kinds.sort();
        kinds.dedup();
        match kinds.pop() {
            Some(kind) if kinds.is_empty() => Ok(kind),
            Some(kind) => {
                kinds.push(kind);
                Ok(Kind::Either(kinds))
            }
            None => self.fail("expected a type"),
        }
    }

    fn single(&mut self, nesting: usize) -> Result<Kind, ContractError> {
        let rest = self.rest();
        if let Some(quoted) = rest.strip_prefix('\'') {
            let Some((literal, _)) = quoted.split_once('\'') else {
                return self.fail("expected a closing quote");
            };
            self.at += literal.len() + 2;
            return Ok(Kind::Text(literal.into()));
        }
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        if let Ok(number) = word.parse::<i64>() {
            self.at += end;
            return Ok(Kind::Number(number));
        }
        let kind = match word {
            "None" => Kind::None,
            "bool" => Kind::Bool,
            "int" => Kind::Int,
            "float" => Kind::Float,
            "complex" => Kind::Complex,
            "str" => Kind::Str,
            "bytes" => Kind::Bytes,
            "bytearray" => Kind::ByteArray,
            "plain" => Kind::Plain,
            "instance" => Kind::Instance,
            "type" => Kind::Type,
            "any" => Kind::Any,
            "tuple" | "list" | "dict" | "set" | "frozenset" => {
                self.at += end;
                return self.container(word, nesting);
            }
            _ => {
                return self.fail(
                    "expected one of None bool int float complex str bytes bytearray tuple list \
                     dict set frozenset plain instance type any, a quoted str or an int",
                );
            }
        };
        self.at += end;
        Ok(kind)
    }

    fn container(&mut self, word: &str, nesting: usize) -> Result<Kind, ContractError> {
        let mut item = None;
        let mut value = None;
        if self.eat("[") {
            if nesting + 1 >= MAX_NESTING {
                return self.fail("only direct items can have a type");
            }
            item = Some(self.kind(nesting + 1)?);
            if word == "dict" {
                self.expect(",")?;
                value = Some(self.kind(nesting + 1)?);
            }
            self.expect("]")?;
        }
        Ok(match word {
            "tuple" => Kind::Tuple(item.map(Box::new)),
            "list" => Kind::List(item.map(Box::new)),
            "set" => Kind::Set(item.map(Box::new)),
            "frozenset" => Kind::FrozenSet(item.map(Box::new)),
            _ => Kind::Dict(item.zip(value).map(Box::new)),
        })
    }
}
