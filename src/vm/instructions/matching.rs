//! `match`: what patterns ask of a subject.

use crate::code::instruction::Word as Instruction;
use crate::object::type_object::{MATCH_MAPPING, MATCH_SELF, MATCH_SEQUENCE, Type};
use crate::object::types::TypeId;
use crate::object::types::dict::Dict;
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::vm::state::Name;
use crate::vm::vm::{Result, Vm};
use crate::vm::window::Window;

impl Vm {
    #[inline(never)]
    pub(crate) fn match_sequence(&mut self, window: Window, i: Instruction) -> Result<()> {
        let subject = window.keep(self, i.b())?;
        let matches = self.type_payload(&subject).has(MATCH_SEQUENCE);
        window.set(i.a(), Value::from_bool(matches));
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn match_mapping(&mut self, window: Window, i: Instruction) -> Result<()> {
        let subject = window.keep(self, i.b())?;
        let matches = self.type_payload(&subject).has(MATCH_MAPPING);
        window.set(i.a(), Value::from_bool(matches));
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn match_keys(&mut self, window: Window, i: Instruction) -> Result<()> {
        let keys = window.take(self, i.d())?;
        let subject = window.keep(self, i.b())?;
        let keys = self.tuple_items(&keys);
        for (place, key) in keys.iter().enumerate() {
            for other in &keys[..place] {
                if self.equal(other, key)? {
                    let text = self.repr_text(key)?;
                    return Err(self.value_error(format!("mapping pattern checks duplicate key ({text})")));
                }
            }
        }
        let is_dict = self.is_exact(&subject, TypeId::Dict);
        let mut values = Vec::with_capacity(keys.len());
        let missing = self.call_plain_object()?;
        for key in &keys {
            let found = match subject.downcast::<Dict>() {
                Some(dict) if is_dict => self.dict_get(dict, key)?,
                _ => {
                    let found = self.call_method(&subject, "get", &[key.clone(), missing.clone()])?;
                    Some(found).filter(|found| !found.is(&missing))
                }
            };
            match found {
                Some(value) => values.push(value),
                None => {
                    window.set(i.a(), Value::NONE);
                    return Ok(());
                }
            }
        }
        let tuple = self.new_tuple(values);
        window.set(i.a(), tuple);
        Ok(())
    }

    /// A fresh `object()`: a value nobody else has.
    fn call_plain_object(&mut self) -> Result<Value> {
        let class = self.builtin(TypeId::Object);
        Ok(self.alloc_instance(&class))
    }

    #[inline(never)]
    pub(crate) fn match_class(&mut self, window: Window, i: Instruction) -> Result<()> {
        let class = window.take_temporary(i.d());
        let n_positional = window.take_temporary(i.d() + 1).as_small().unwrap_or(0) as usize;
        let names = window.take_temporary(i.d() + 2);
        let subject = window.keep(self, i.b())?;
        let result = self.match_class_attributes(&subject, &class, n_positional, &names)?;
        window.set(i.a(), result);
        Ok(())
    }

    fn match_class_attributes(&mut self, subject: &Value, class: &Value, n_positional: usize, names: &Value) -> Result<Value> {
        let Some(class_ref) = class.downcast::<Type>() else {
            return Err(self.type_error("called match pattern must be a class"));
        };
        if !self.object_isinstance(subject, class)? {
            return Ok(Value::NONE);
        }
        let mut seen: Vec<Value> = Vec::new();
        let mut values = Vec::new();
        if n_positional > 0 {
            let name = self.name(Name::MatchArgs);
            let class_name = self.class_name(class_ref);
            let (attributes, match_self) = match self.find_attr(class, &name)? {
                Some(attributes) => {
                    if !attributes.holds::<Tuple>() {
                        let message = format!("{class_name}.__match_args__ must be a tuple (got {})", self.type_name(&attributes));
                        return Err(self.type_error(message));
                    }
                    (self.tuple_items(&attributes), false)
                }
                None => (Vec::new(), class_ref.get(self).has(MATCH_SELF)),
            };
            let allowed = if match_self { 1 } else { attributes.len() };
            if allowed < n_positional {
                let plural = if allowed == 1 { "" } else { "s" };
                let message = format!("{class_name}() accepts {allowed} positional sub-pattern{plural} ({n_positional} given)");
                return Err(self.type_error(message));
            }
            if match_self {
                values.push(subject.clone());
            } else {
                for attribute in attributes.into_iter().take(n_positional) {
                    if !attribute.holds::<Str>() {
                        let message = format!("__match_args__ elements must be strings (got {})", self.type_name(&attribute));
                        return Err(self.type_error(message));
                    }
                    match self.match_attribute(subject, &class_name, &attribute, &mut seen)? {
                        Some(value) => values.push(value),
                        None => return Ok(Value::NONE),
                    }
                }
            }
        }
        for attribute in self.tuple_items(names) {
            let class_name = self.class_name(class_ref);
            match self.match_attribute(subject, &class_name, &attribute, &mut seen)? {
                Some(value) => values.push(value),
                None => return Ok(Value::NONE),
            }
        }
        Ok(self.new_tuple(values))
    }

    fn match_attribute(&mut self, subject: &Value, class_name: &str, attribute: &Value, seen: &mut Vec<Value>) -> Result<Option<Value>> {
        for known in seen.iter() {
            if self.equal(known, attribute)? {
                let text = self.repr_text(attribute)?;
                return Err(self.type_error(format!("{class_name}() got multiple sub-patterns for attribute {text}")));
            }
        }
        seen.push(attribute.clone());
        self.find_attr(subject, attribute)
    }

    #[inline(never)]
    pub(crate) fn get_len(&mut self, window: Window, i: Instruction) -> Result<()> {
        let value = window.keep(self, i.b())?;
        let len = self.len(&value)?;
        let len = self.new_int(len as i64);
        window.set(i.a(), len);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn match_rest(&mut self, window: Window, i: Instruction) -> Result<()> {
        let keys = window.take(self, i.d())?;
        let source = window.keep(self, i.b())?;
        let rest = self.new_dict();
        for key in self.mapping_keys(&source)? {
            let value = self.get_item(&source, &key)?;
            self.dict_set(&rest, &key, value)?;
        }
        for key in self.tuple_items(&keys) {
            self.dict_remove(&rest, &key)?;
        }
        window.set(i.a(), rest.into_value());
        Ok(())
    }
}
